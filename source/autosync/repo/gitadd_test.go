package repo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Filters, ends of lines and marks in the index count as they do with git add. A filter that
// fails keeps out its own files only.
func TestGitFilters(t *testing.T) {
	tree := newTree(t)
	tree.sh(`
		printf '*.up filter=up\n*.bad filter=bad\n*.txt text\n' >.gitattributes
		git config filter.up.clean 'tr a-z A-Z'; git config filter.bad.clean false; git config filter.bad.required true
		echo hidden >hidden; echo pinned >pinned; git add -A; git commit -qm more
		git update-index --skip-worktree hidden; git update-index --assume-unchanged pinned; rm hidden; echo x >pinned
		echo word >w.up; printf 'a\r\nb\r\n' >c.txt; for i in 1 2 3; do echo $i >good$i; echo $i >$i.bad; done; rm a
	`)
	c := tree.save()
	if got := strings.Join(list(c.Refused), "\n"); strings.Count(got, "clean filter 'bad' failed") != 3 || len(c.Refused) != 3 || len(c.Stats) != 6 {
		t.Errorf("%s %+v", got, c.Stats)
	}
	tree.want("git show HEAD:w.up HEAD:c.txt HEAD:hidden HEAD:pinned", "WORD\na\nb\nhidden\npinned\n")
	tree.want("git ls-files -v | grep -v ^H; git status --porcelain", "S hidden\nh pinned\n?? 1.bad\n?? 2.bad\n?? 3.bad\n")
	if c := tree.save(); c == nil || c.Hash != "" || len(c.Refused) != 3 {
		t.Errorf("%+v", c)
	}
}

// Many files become one pack, also beside filters and one that is bad.
func TestGitManyFiles(t *testing.T) {
	tree := newTree(t)
	tree.sh("git config filter.up.clean 'tr a-z A-Z'; git config filter.bad.clean false; git config filter.bad.required true; printf '*9 filter=up\n*777 filter=bad\n' >.git/info/attributes; mkdir m")
	for i := range 2 * manyFiles {
		must(t, os.WriteFile(tree.abs(fmt.Sprintf("m/f%03d", i)), fmt.Appendln(nil, "file", i), 0o666))
	}
	c := tree.save()
	if len(c.Stats) != 2*manyFiles-1 || len(c.Refused) != 1 || c.Refused[0].Path != "m/f777" {
		t.Errorf("%d %q", len(c.Stats), list(c.Refused))
	}
	tree.want("git show HEAD:m/f009 HEAD:m/f010; git status --porcelain; git ls-tree -r HEAD m | wc -l", fmt.Sprintf("FILE 9\nfile 10\n?? m/f777\n%d\n", 2*manyFiles-1))
	tree.sh("rm -r m; git gc -q --prune=now")
	c = tree.save()
	tree.want("git ls-tree -r --name-only HEAD; git status --porcelain", "a\nd/b\n")
	if len(c.Stats) != 2*manyFiles-1 {
		t.Error(len(c.Stats))
	}
}

// A directory that has become a link, or the reverse, while the paths were known before.
func TestGitKindChangesMeanwhile(t *testing.T) {
	tree := newTree(t)
	tree.sh("mkdir x; echo 1 >x/1; echo 2 >y; git add .; git commit -qm more; rm -r x; ln -s d x; echo f >new; echo b2 >d/b; ln -s d z")
	changes := append(tree.changes(), Change{Path: "x/b", Kind: Added}, Change{Path: "z/b", Kind: Modified})
	tree.sh("rm new y; mkdir new y; echo deep >new/in; echo deep >y/in")
	c, err := tree.Commit(t.Context(), append(changes, Change{Path: "y", Kind: Modified}), words("x"))
	must(t, err)
	tree.want("git show --format= --name-status --no-renames", "M\td/b\nA\tx\nD\tx/1\nA\tz\n")
	if len(c.Refused) != 0 {
		t.Errorf("%q", list(c.Refused))
	}
	tree.save()
	tree.want("git status --porcelain; git ls-tree -r --name-only HEAD", "a\nd/b\nnew/in\nx\ny/in\nz\n")
}

// All kinds of indexes that git has can be copied and put back.
func TestGitIndexes(t *testing.T) {
	for _, setting := range []string{
		"git config core.splitIndex true; git update-index --split-index", "git config core.untrackedCache true; git update-index --untracked-cache",
		"git config feature.manyFiles true; git update-index --index-version 4", "git sparse-checkout set --cone d",
	} {
		tree := newTree(t)
		tree.sh("mkdir far; echo far >far/f; echo t >top; git add .; git commit -qm more; " + setting + "; echo s >d/staged; git add --sparse d/staged")
		for i := range 3 {
			tree.sh(fmt.Sprintf("git status >/dev/null; echo %d >a; echo %d >d/new%d; rm -f d/new%d", i, i, i, i-1))
			if c := tree.save(); c == nil || c.Hash == "" {
				t.Errorf("%s: %+v", setting, c)
			}
			tree.want("git status --porcelain", "A  d/staged\n")
		}
		tree.want("git show HEAD:far/f HEAD:top HEAD:d/new2 HEAD:a", "far\nt\n2\n2\n")
	}
}

// A git command of ours that was killed leaves the lock of a private index.
func TestGitPrivateLocks(t *testing.T) {
	tree := newTree(t)
	for _, name := range []string{"index", "index.next", "index.integrated", "merge-index"} {
		must(t, os.WriteFile(filepath.Join(tree.Dir(), name+".lock"), nil, 0o600))
	}
	tree.sh("echo two >a")
	tree.save()
	tree.want("git show HEAD:a; git status --porcelain", "two\n")
}
