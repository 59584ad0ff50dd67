package repo_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vext/internal/testkit"
	"vext/source/autosync/repo"
	"vext/source/autosync/repo/repotest"
)

// git runs git in a directory and returns what it prints.
func git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// person has git know a person, and nothing else of this machine's user.
func person(t testing.TB) {
	t.Helper()
	testkit.Program(t, "git")
	config := filepath.Join(t.TempDir(), "config")
	content := "[user]\n\tname = Jane\n\temail = jane@example.org\n[init]\n\tdefaultBranch = main\n[protocol \"file\"]\n\tallow = always\n"
	if err := os.WriteFile(config, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_CONFIG_GLOBAL", config)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
}

func TestGit(t *testing.T) {
	person(t)
	repotest.Run(t, func(t *testing.T, o repo.Options) repotest.Setup {
		dir := t.TempDir()
		bare := filepath.Join(dir, "remote")
		git(t, dir, "init", "-q", "--bare", bare)
		s := repotest.Setup{MergesLines: true}
		for _, host := range []string{"alpha", "beta"} {
			git(t, dir, "clone", "-q", bare, host)
			o.Path, o.Host = filepath.Join(dir, host), host
			r, err := repo.Open(t.Context(), "", o)
			if err != nil {
				t.Fatal(err)
			}
			if s.A == nil {
				s.A = r
			} else {
				s.B = r
			}
		}
		s.Contains = contains(t)
		s.Unsafe = unsafe(t, s.A.Root())
		s.Cut = func() { git(t, s.A.Root(), "remote", "set-url", "origin", filepath.Join(dir, "nowhere")) }
		s.Unrelate = func() {
			git(t, dir, "init", "-q", "other")
			git(t, filepath.Join(dir, "other"), "commit", "-q", "--allow-empty", "-m", "unrelated")
			git(t, filepath.Join(dir, "other"), "push", "-q", "--force", bare, "main")
		}
		return s
	})
}

// contains finds a content in all files of the history.
func contains(t *testing.T) func(r repo.Repository, content string) bool {
	return func(r repo.Repository, content string) bool {
		cmd := exec.Command("git", "hash-object", "--stdin")
		cmd.Dir, cmd.Stdin = r.Root(), strings.NewReader(content)
		hash, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(git(t, r.Root(), "rev-list", "--objects", "--all"), strings.TrimSpace(string(hash)))
	}
}

// unsafe are states in which git has files of these names, and a detached HEAD.
func unsafe(t *testing.T, root string) map[string]func() (leave func()) {
	states := map[string]func() (leave func()){}
	for _, name := range []string{"MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_LOG", "index.lock", "HEAD.lock", "refs/heads/main.lock"} {
		path := filepath.Join(root, ".git", filepath.FromSlash(name))
		states[name] = func() (leave func()) {
			if err := os.WriteFile(path, nil, 0o666); err != nil {
				t.Fatal(err)
			}
			return func() { os.Remove(path) }
		}
	}
	for _, name := range []string{"rebase-merge", "rebase-apply", "sequencer"} {
		path := filepath.Join(root, ".git", name)
		states[name] = func() (leave func()) {
			if err := os.Mkdir(path, 0o777); err != nil {
				t.Fatal(err)
			}
			return func() { os.Remove(path) }
		}
	}
	states["detached"] = func() (leave func()) {
		git(t, root, "commit", "-q", "--allow-empty", "-m", "x")
		git(t, root, "checkout", "-q", "--detach")
		return func() { git(t, root, "checkout", "-q", "main") }
	}
	return states
}
