package vcs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vext/internal/weburl"
)

// The identity of a change depends neither on its parent nor on its message; another
// has another. A clone that has no blobs fetches what it needs, of what is gone,
// too.
func TestPatches(t *testing.T) {
	g := newGit(t)
	run(t, "", "git", "-C", g.dir, "config", "uploadpack.allowFilter", "true")
	work := filepath.Join(t.TempDir(), "work")
	run(t, "", "git", "clone", "--quiet", g.dir, work)
	git := func(args ...string) string {
		t.Helper()
		return run(t, work, "git", args...)
	}
	write := func(name string, lines ...string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(work, name), []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		git("add", name)
	}
	var many []string
	for i := range 40 {
		many = append(many, fmt.Sprint("line ", i))
	}
	git("checkout", "--quiet", "-B", "main")
	write("f", many...)
	git("commit", "--quiet", "-m", "base")
	many[30] = "changed"
	write("f", many...)
	git("commit", "--quiet", "-m", "was")
	git("push", "--quiet", "origin", "main")
	was := git("rev-parse", "HEAD")
	clones := map[string]Repository{}
	for name, url := range map[string]string{"with blobs": g.dir, "without": fileURL(g.dir), "as it is": ""} {
		dir := filepath.Join(t.TempDir(), "copy.git")
		if url == "" {
			dir = g.dir
		}
		clones[name], _ = Open(Git, dir, weburl.Parse(url))
		if _, err := clones[name].Update(t.Context(), func(string) bool { return true }); err != nil {
			t.Fatal(err)
		}
	}
	git("reset", "--quiet", "--hard", "HEAD~1")
	many[0], many[30] = "another change", "line 30"
	write("f", many...)
	git("commit", "--quiet", "-m", "in between")
	many[30] = "changed"
	write("f", many...)
	git("commit", "--quiet", "-m", "rebased, and said in other words")
	rebased := git("rev-parse", "HEAD")
	many[30] = "changed otherwise"
	write("f", many...)
	git("commit", "--quiet", "-m", "another")
	another := git("rev-parse", "HEAD")
	git("commit", "--quiet", "--allow-empty", "-m", "empty")
	empty := git("rev-parse", "HEAD")
	git("push", "--quiet", "--force", "origin", "main")
	for name, r := range clones {
		if _, err := r.Update(t.Context(), func(string) bool { return true }); err != nil {
			t.Fatal(err)
		}
		if name == "without" { // where git itself is kept from fetching
			copied := r.(*gitRepository)
			if err := copied.fetchBlobs(t.Context(), []string{was, rebased, another, empty}); err != nil {
				t.Error(err)
			}
			run(t, copied.dir, "git", "config", "--unset", "remote.origin.promisor")
			run(t, copied.dir, "git", "config", "--unset", "remote.origin.partialclonefilter")
		}
		p, err := r.(GitRepository).Patches(t.Context(), []string{was, rebased, another, empty})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p[was] == "" || p[was] != p[rebased] || p[was] == p[another] || p[another] == "" || p[empty] != "" {
			t.Errorf("%s: %v of %s, %s, %s, %s", name, p, was, rebased, another, empty)
		}
	}
}
