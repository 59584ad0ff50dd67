package repo

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// largeTree makes a tree of 100,000 files in 10,000 directories.
func largeTree(b *testing.B) tree {
	b.Helper()
	asPerson(b)
	root := filepath.Join(b.TempDir(), "tree")
	for i := range 10_000 {
		dir := filepath.Join(root, fmt.Sprintf("d%02d/e%02d", i/100, i%100))
		must(b, os.MkdirAll(dir, 0o777))
		for k := range 10 {
			must(b, os.WriteFile(filepath.Join(dir, fmt.Sprint("f", k)), fmt.Appendln(nil, i, k), 0o666))
		}
	}
	sh(b, root, "git init -q && git add -A && git commit -qm first && sleep 1 && git status")
	return tree{b, openAt(b, root)}
}

// BenchmarkGitCommit is one changed file in a large tree, from the event to the commit: at
// most 0.4 s. The whole line is what git itself takes.
func BenchmarkGitCommit(b *testing.B) {
	tree := largeTree(b)
	n := 0
	change := func() {
		n++
		must(b, os.WriteFile(tree.abs("d50/e50/f5"), fmt.Appendln(nil, n), 0o666))
	}
	b.Run("changed", func(b *testing.B) {
		for range b.N {
			change()
			must(b, tree.Ready(b.Context()))
			changes, err := tree.Changes(b.Context(), "d50/e50/f5")
			must(b, err)
			if c, err := tree.Commit(b.Context(), changes, words("x")); err != nil || len(c.Stats) != 1 {
				b.Fatal(c, err)
			}
		}
	})
	b.Run("staged beside", func(b *testing.B) {
		tree.sh("echo x >d01/e01/f1; git add d01/e01/f1")
		for range b.N {
			change()
			changes, err := tree.Changes(b.Context(), "d50/e50/f5")
			must(b, err)
			if c, err := tree.Commit(b.Context(), changes, words("x")); err != nil || len(c.Stats) != 1 {
				b.Fatal(c, err)
			}
		}
		tree.sh("git reset -q --hard")
	})
	b.Run("git", func(b *testing.B) {
		for range b.N {
			change()
			tree.sh("git status --porcelain -- d50/e50/f5 && git add d50/e50/f5 && git commit -qm x")
		}
	})
	b.Run("changes of all", func(b *testing.B) {
		for range b.N {
			if changes, err := tree.Changes(b.Context()); err != nil || len(changes) > 0 {
				b.Fatal(changes, err)
			}
		}
	})
}

// BenchmarkGitCommitMany is 10,000 new files: one commit.
func BenchmarkGitCommitMany(b *testing.B) {
	tree := tree{b, newTree(b).gitRepo}
	i := 0
	for range b.N {
		i++
		b.StopTimer()
		for d := range 100 {
			dir := tree.abs(fmt.Sprintf("n%d/d%d", i, d))
			must(b, os.MkdirAll(dir, 0o777))
			for k := range 100 {
				must(b, os.WriteFile(filepath.Join(dir, fmt.Sprint("f", k)), fmt.Appendln(nil, i, d, k), 0o666))
			}
		}
		b.StartTimer()
		begin := time.Now()
		changes, err := tree.Changes(b.Context())
		must(b, err)
		looked := time.Since(begin)
		c, err := tree.Commit(b.Context(), changes, words("x"))
		if err != nil || len(c.Stats) != 10_000 {
			b.Fatal(err)
		}
		b.ReportMetric(looked.Seconds(), "s/look")
	}
}
