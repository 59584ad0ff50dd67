package backport

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

// A test pick has the result of git cherry-pick: the same conflicts, and the same trees.
func TestPickAsGit(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	m := newMade(t)
	edits := map[string]map[int]string{"main": {}, "new": {}}
	change := func(branch string) *madeCommit {
		edits[branch][random.IntN(40)] = fmt.Sprintf("%s %d", branch, random.IntN(3))
		return m.commit(branch, "ida", "change", numbered("f", 40, edits[branch]))
	}
	m.commit("main", "ida", "begin", numbered("f", 40, nil))
	m.fork("new", "main")
	var commits []string
	for range 40 {
		commits = append(commits, change("main").hash)
		if random.IntN(4) == 0 {
			change("new")
		}
	}
	commits = append(commits, m.commit("main", "ida", "remove", map[string]string{"f": ""}).hash)
	g := m.open("")
	tip := g.heads["new"]
	p, err := newPicker(t.Context(), g.history, append(commits, tip))
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	work := filepath.Join(t.TempDir(), "work")
	run := func(args ...string) (string, error) {
		out, err := m.git(append([]string{"-C", work, "-c", "user.name=ida", "-c", "user.email=ida@example.org"}, args...)...).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if out, err := m.git("clone", "-q", "-n", m.dir, work).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	counts := map[State]int{}
	at, _ := p.change(tip)
	for _, hash := range commits {
		run("checkout", "-q", "-f", "--detach", tip)
		_, pickErr := run("cherry-pick", "-n", hash)
		tree, _ := run("write-tree")
		want := Clean
		switch {
		case pickErr != nil:
			want = Conflict
		case tree == at.Tree:
			want = NothingToDo
		}
		one := p.pick(t.Context(), at.Tree, hash)
		counts[one.state]++
		if one.state != want || want == Clean && one.tree != tree {
			t.Errorf("%s: %s %s %s, want %s %s", hash, one.state, one.tree, one.why, want, tree)
		}
	}
	if counts[Clean] == 0 || counts[Conflict] == 0 || counts[NothingToDo] == 0 {
		t.Errorf("a case is missing: %v", counts)
	}
}
