package hook

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vext/internal/testkit"
	"vext/internal/vcs"
)

// changesRepo makes a repository with git.
func changesRepo(t *testing.T) (dir string, git func(args ...string) error) {
	t.Helper()
	program := testkit.Program(t, "git")
	dir = t.TempDir()
	git = func(args ...string) error {
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org")
		out, err := cmd.CombinedOutput()
		if err == nil && strings.Contains(string(out), "cannot create") {
			t.Errorf("git %v: %s", args, out)
		}
		return err
	}
	if err := git("init", "-q", "-b", "main"); err != nil {
		t.Fatal(err)
	}
	return dir, git
}

// The hook writes its file after each change, in every worktree, and never makes one fail.
func TestChanges(t *testing.T) {
	dir, git := changesRepo(t)
	place, err := vcs.Locate(t.Context(), dir, vcs.Git)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(place.Hooks); err != nil { // as with an empty template
		t.Fatal(err)
	}
	for range 2 {
		if err := InstallChanges(place); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(place.Dir, ChangesFile)
	for _, command := range []string{
		"commit -q --allow-empty -m one", "branch a", "tag v1", "branch -D a", "worktree add -q ../w" + filepath.Base(dir),
		"-C ../w" + filepath.Base(dir) + " commit -q --allow-empty -m two",
	} {
		write(t, file, "", 0o644)
		if err := git(strings.Fields(command)...); err != nil {
			t.Errorf("%s: %v", command, err)
		}
		if read(t, file) == "" {
			t.Errorf("%s: nothing was written", command)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(file, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := git("branch", "b"); err != nil {
		t.Errorf("while the file cannot be written: %v", err)
	}
	if had, err := RemoveChanges(place); err != nil || !had {
		t.Errorf("removed: %v, %v", had, err)
	}
	if had, err := RemoveChanges(place); err != nil || had {
		t.Errorf("removed again: %v, %v", had, err)
	}
}

func TestChangesNotInstalled(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(dir string, git func(...string) error) error
		want    string
	}{
		"another hook": {func(dir string, _ func(...string) error) error {
			return os.WriteFile(filepath.Join(dir, ".git/hooks/reference-transaction"), []byte("#!/bin/sh\n"), 0o755)
		}, "there is a hook already"},
		"hooks elsewhere": {func(dir string, git func(...string) error) error {
			return git("config", "core.hooksPath", t.TempDir())
		}, "core.hooksPath"},
		"hooks in the work tree": {func(dir string, git func(...string) error) error {
			return git("config", "core.hooksPath", "githooks")
		}, "core.hooksPath"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, git := changesRepo(t)
			if err := os.MkdirAll(filepath.Join(dir, ".git/hooks"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := test.prepare(dir, git); err != nil {
				t.Fatal(err)
			}
			place, err := vcs.Locate(t.Context(), dir, vcs.Git)
			if err != nil {
				t.Fatal(err)
			}
			if err := InstallChanges(place); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if _, err := os.Stat(filepath.Join(place.Dir, ChangesFile)); err == nil {
				t.Error("its file was made")
			}
		})
	}
}
