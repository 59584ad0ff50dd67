package repo_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/source/autosync/repo"
)

// at is the time of all conflicts.
var at = time.Date(2026, 11, 30, 14, 5, 0, 0, time.UTC)

// put writes a file of a work tree.
func put(t *testing.T, r repo.Repository, name, content string) {
	t.Helper()
	full := filepath.Join(r.Root(), name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o777), os.WriteFile(full, []byte(content), 0o666)); err != nil {
		t.Fatal(err)
	}
}

// got returns what a file of a work tree has.
func got(r repo.Repository, name string) string {
	content, err := os.ReadFile(filepath.Join(r.Root(), name))
	if err != nil {
		return err.Error()
	}
	return string(content)
}

// save commits all changes.
func save(t *testing.T, r repo.Repository) (*repo.Commit, error) {
	t.Helper()
	changes, err := r.Changes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r.Commit(t.Context(), changes, func(context.Context, []repo.Stat) (string, error) { return "automatic", nil })
}

// push saves and pushes.
func push(t *testing.T, r repo.Repository) {
	t.Helper()
	if _, err := save(t, r); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Push(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// pull pulls.
func pull(t *testing.T, r repo.Repository) *repo.Pulled {
	t.Helper()
	p, err := r.Pull(t.Context(), repo.PullOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Files against directories, of both sides; what was there before a rebase stays; an active
// bookmark moves along.
func TestHgPaths(t *testing.T) {
	hgPerson(t)
	_, a, b := hgClones(t, repo.Options{Now: func() time.Time { return at }})
	for _, name := range []string{"f", "d/x", "other"} {
		put(t, a, name, "base\n")
	}
	push(t, a)
	pull(t, b)
	hg(t, b.Root(), "bookmark", "mine")
	for r, side := range map[repo.Repository]string{a: "theirs\n", b: "ours\n"} {
		gone, dir, file := "f", "f/in", "d"
		if r == b {
			gone, dir, file = "", "d/x", "f"
		}
		if gone != "" {
			if err := errors.Join(os.Remove(filepath.Join(r.Root(), gone)), os.RemoveAll(filepath.Join(r.Root(), "d"))); err != nil {
				t.Fatal(err)
			}
		}
		put(t, r, dir, side)
		put(t, r, file, side)
	}
	push(t, a)
	before, err := save(t, b)
	if err != nil {
		t.Fatal(err)
	}
	p := pull(t, b)
	copied := func(name string) string {
		return repo.ConflictName(name, "beta", at, func(string) bool { return false })
	}
	for name, want := range map[string]string{"f/in": "theirs\n", copied("f"): "ours\n", "d/x": "ours\n", copied("d"): "theirs\n", "other": "base\n"} {
		if got := got(b, name); got != want {
			t.Errorf("%s: %q, want %q; conflicts %+v", name, got, want, p.Conflicts)
		}
	}
	if phase := hg(t, b.Root(), "log", "-r", before.Hash, "-T", "{phase}"); phase != "secret" || p.Rebased != 1 {
		t.Errorf("before the rebase: %s; %+v", phase, p)
	}
	if mark := hg(t, b.Root(), "log", "-r", "mine", "-T", "{node} {activebookmark}"); mark != p.After+" mine" {
		t.Errorf("bookmark %s, want %s", mark, p.After)
	}
	if changes, err := b.Changes(t.Context()); err != nil || len(changes) > 0 {
		t.Errorf("left: %+v, %v", changes, err)
	}
	if _, err := b.Push(t.Context()); err != nil {
		t.Error(err)
	}
	pull(t, a)
	if heads := strings.Count(hg(t, a.Root(), "heads", "-T", "x"), "x"); heads != 1 {
		t.Errorf("%d heads", heads)
	}
}

// Commits that a person has made are merged, not made again.
func TestHgPerson(t *testing.T) {
	hgPerson(t)
	server, a, b := hgClones(t, repo.Options{Now: func() time.Time { return at }})
	put(t, a, "f", "base\n")
	push(t, a)
	pull(t, b)
	put(t, a, "a", "theirs\n")
	push(t, a)
	put(t, b, "b", "by hand\n")
	hg(t, b.Root(), "commit", "-q", "-A", "-m", "by hand")
	mine, err := b.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p := pull(t, b); p.Rebased != 0 || len(p.Commits) != 1 {
		t.Errorf("%+v", p)
	}
	if parents := hg(t, b.Root(), "log", "-r", "parents(.)", "-T", "{node} "); !strings.Contains(parents, mine) || len(parents) != 82 {
		t.Errorf("parents %s", parents)
	}
	push(t, b)
	hg(t, server, "strip", "-q", "--no-backup", "-r", mine)
	var stopped *repo.StoppedError
	if _, err := b.Pull(t.Context(), repo.PullOptions{}); !errors.As(err, &stopped) || !strings.Contains(err.Error(), "set back") {
		t.Errorf("after a strip: %v", err)
	}
	if got(b, "b") != "by hand\n" {
		t.Error("the work tree was touched")
	}
}

// What is ignored, nested or unfinished.
func TestHgTree(t *testing.T) {
	hgPerson(t)
	_, a, _ := hgClones(t, repo.Options{Now: func() time.Time { return at }})
	ctx := t.Context()
	put(t, a, ".hgignore", "syntax: glob\nbuild\n*.o\n")
	put(t, a, "build/x", "x")
	put(t, a, "src/a.o", "x")
	put(t, a, "src/a.c", "x")
	put(t, a, "theirs/.git/HEAD", "ref: refs/heads/main\n")
	put(t, a, "theirs/file", "x")
	put(t, a, "line\nbreak", "x")
	ignored, err := a.Ignored(ctx, []string{"build", "build/sub", "src", "no such"})
	if err != nil || !ignored["build"] || !ignored["build/sub"] || ignored["src"] || ignored["no such"] {
		t.Errorf("ignored: %v, %v", ignored, err)
	}
	c, err := save(t, a)
	if err != nil {
		t.Fatal(err)
	}
	var refused []string
	for _, r := range c.Refused {
		refused = append(refused, r.Path+": "+r.Refuse)
	}
	if want := []string{"line\nbreak: Mercurial has no names with line breaks", "theirs: a repository of its own"}; !slices.Equal(refused, want) || len(c.Stats) != 2 {
		t.Errorf("%q, %+v", refused, c.Stats)
	}

	hgrc := filepath.Join(a.Root(), ".hg/hgrc")
	before, err := os.ReadFile(hgrc)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(hgrc, append(before, "\n[hooks]\npretxncommit.spell = sh -c 'echo bad spelling >&2; exit 3'\n"...), 0o666); err != nil {
		t.Fatal(err)
	}
	put(t, a, "src/new.c", "x")
	if err := os.Remove(filepath.Join(a.Root(), "src/a.c")); err != nil {
		t.Fatal(err)
	}
	var hook *repo.HookError
	if _, err := save(t, a); !errors.As(err, &hook) || hook.Hook != "pretxncommit.spell" {
		t.Errorf("hook: %v", err)
	}
	if err := os.WriteFile(hgrc, before, 0o666); err != nil {
		t.Fatal(err)
	}
	put(t, a, "src/a.c", "again")
	put(t, a, ".hg/updatestate", "of a killed update")
	var busy *repo.BusyError
	if err := a.Ready(ctx); !errors.As(err, &busy) {
		t.Errorf("an update of a person: %v", err)
	}
	put(t, a, ".hg/vext/state.json", `{"updating":"x"}`)
	if c, err = save(t, a); err != nil || len(c.Stats) != 2 {
		t.Errorf("after a hook that failed: %+v, %v", c, err)
	}
}
