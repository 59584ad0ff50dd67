package repo_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"vext/source/autosync/repo"
)

func TestGitList(t *testing.T) {
	person(t)
	dir := t.TempDir()
	git(t, dir, "init", "-q")
	copied := repo.ConflictName("b.txt", "desk", time.Unix(0, 0), func(string) bool { return false })
	for name, content := range map[string]string{"a": "12345", copied: "x\n", "é\n": "", "b.txt": "y"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git(t, dir, "add", ".")
	git(t, dir, "commit", "-q", "-m", "all")
	r, err := repo.Open(t.Context(), "git", repo.Options{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	l := r.(repo.Lister)
	copies, err := l.Copies(t.Context())
	if err != nil || !slices.Equal(copies, []string{copied}) {
		t.Errorf("%q, %v", copies, err)
	}
	sizes, err := l.Sizes(t.Context(), []string{"a", "é\n", "no"})
	if err != nil || !maps.Equal(sizes, map[string]int64{"a": 5, "é\n": 0}) {
		t.Errorf("%v, %v", sizes, err)
	}
}

// A repository is packed when there is much to pack, unless its user does not want it.
func TestGitTidy(t *testing.T) {
	person(t)
	dir := t.TempDir()
	git(t, dir, "init", "-q")
	for _, subject := range []string{"one: a", "two"} {
		git(t, dir, "commit", "-q", "--allow-empty", "-m", subject)
		git(t, dir, "repack", "-q", "--no-write-bitmap-index")
	}
	r, err := repo.Open(t.Context(), "git", repo.Options{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	head, err := r.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if subject, made, err := r.(repo.Describer).Describe(t.Context(), head); subject != "two" || made.Before(time.Unix(1_000_000_000, 0)) || err != nil {
		t.Errorf("%q, %s, %v", subject, made, err)
	}
	packed := filepath.Join(dir, ".git", "packed-refs") // which gc writes
	for _, test := range []struct {
		key, value string
		isTidied   bool
	}{{"gc.autoPackLimit", "50", false}, {"gc.auto", "0", false}, {"maintenance.auto", "false", false}, {"core.bare", "false", true}} {
		git(t, dir, "config", "gc.autoPackLimit", "1")
		git(t, dir, "config", test.key, test.value)
		if err := r.(repo.Tidier).Tidy(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(packed); (err == nil) != test.isTidied {
			t.Errorf("%s = %s: %v", test.key, test.value, err)
		}
		git(t, dir, "config", "--unset", test.key)
	}
}
