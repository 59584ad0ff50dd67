package repo

import (
	"os"
	"path/filepath"
	"testing"
)

// What is read from the files of git is what git says.
func TestRefFiles(t *testing.T) {
	r := newTree(t)
	byGit := *r.gitRepo
	byGit.commonDir = t.TempDir() // where the refs seem to have another format
	must(t, os.Mkdir(filepath.Join(byGit.commonDir, "reftable"), 0o777))
	names := []string{"refs/heads/main", "refs/heads/side/x", "refs/heads/side", "refs/heads/other", "refs/tags/v1", "refs/vext/autosync/direct", "refs/alias"}
	for _, step := range []string{
		"", "git branch side/x; git tag -a -m v1 v1", "git pack-refs --all", "git commit -q --allow-empty -m two", "git branch -D -q side/x; git branch side",
		"git checkout -q --detach", "git checkout -q side", "git symbolic-ref refs/alias refs/heads/side", "git checkout -q --orphan other",
	} {
		r.sh(step)
		for what, ask := range map[string]func(*gitRepo) (string, error){
			"the branch": func(g *gitRepo) (string, error) { return g.branch(t.Context()) },
			"HEAD":       func(g *gitRepo) (string, error) { return g.Head(t.Context()) },
		} {
			got, err := ask(r.gitRepo)
			must(t, err)
			want, err := ask(&byGit)
			must(t, err)
			if got != want {
				t.Errorf("%q: %s is %q, not %q", step, what, want, got)
			}
		}
		got, err := r.refValues(t.Context(), names...)
		must(t, err)
		want, err := byGit.refValues(t.Context(), names...)
		must(t, err)
		for _, name := range names {
			if got[name] != want[name] {
				t.Errorf("%q: %s is %q, not %q", step, name, want[name], got[name])
			}
		}
	}
}
