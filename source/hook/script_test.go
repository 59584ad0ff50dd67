package hook

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vext/internal/vcs"
)

// shells are those of the systems on which vext runs, as far as they are here.
var shells = [][]string{{"sh"}, {"dash"}, {"bash", "--posix"}, {"busybox", "sh"}, {"ksh"}, {"mksh"}, {"yash"}, {"zsh", "--emulate", "sh"}}

// A repo is a bare git repository as far as the scripts know it.
func newRepo(t *testing.T, command ...string) *Hook {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "w.git")
	if err := os.MkdirAll(filepath.Join(dir, "hooks"), 0o755); err != nil {
		t.Fatal(err)
	}
	return &Hook{
		Place:   &vcs.Place{Kind: vcs.Git, Dir: dir, Hooks: filepath.Join(dir, "hooks"), Bare: true},
		Command: command,
	}
}

func write(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(data)
}

// Both hooks read what was pushed, in every shell, however much that is; the
// status is that of the one that was there before, and nothing else is printed.
func TestPostReceive(t *testing.T) {
	line := strings.Repeat("0", 40) + " " + strings.Repeat("a", 40) + " refs/heads/"
	small := line + "main\n"
	large := strings.Repeat(line+"a%s$b'\n", 20_000)
	for _, shell := range shells {
		if _, err := exec.LookPath(shell[0]); err != nil {
			continue
		}
		for _, test := range []struct {
			name, before string
			stdin        string
			called       bool // the hook from before
			status       int
		}{
			{"none", "", small, false, 0},
			{"one that reads", "#!/bin/sh\ncat >before\n", small, true, 0},
			{"a large one", "#!/bin/sh\ncat >before\n", large, true, 0},
			{"one that does not read", "#!/bin/sh\nexit 3\n", large, false, 3},
			{"one that reads a line", "#!/bin/sh\nread -r line; echo \"$line\" >before\n", small, true, 0},
			{"one that is killed", "#!/bin/sh\nkill -TERM $$\n", small, false, 128 + 15},
			{"one that fails with -e", "#!/bin/sh -e\nfalse\ncat >before\n", small, false, 1},
			{"one that can't be run", "#!/nosuch/interpreter\n", small, false, -1},
			{"one that looks at its name", "#!/bin/sh\n[ \"$(basename \"$0\")\" = post-receive ] || exit 9\ncat >before\n", small, true, 0},
		} {
			h := newRepo(t, "/bin/sh", "-c", "cat >vext; echo noise; echo noise >&2; exit 5")
			path := filepath.Join(h.Place.Hooks, "post-receive")
			if test.before != "" {
				write(t, path, test.before, 0o755)
			}
			if _, err := h.Install(); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(shell[0], append(slices.Clone(shell[1:]), "hooks/post-receive")...)
			cmd.Dir, cmd.Stdin = h.Place.Dir, strings.NewReader(test.stdin)
			out, _ := cmd.CombinedOutput()
			status := cmd.ProcessState.ExitCode()
			if status != test.status && (test.status >= 0 || status == 0) || test.status >= 0 && len(out) > 0 && test.status < 128 {
				t.Errorf("%q, %s: status %d, said %.200q", shell, test.name, status, out)
			}
			if got := read(t, filepath.Join(h.Place.Dir, "vext")); got != test.stdin {
				t.Errorf("%q, %s: vext received %.200q", shell, test.name, got)
			}
			if got := read(t, filepath.Join(h.Place.Dir, "before")); test.called != (got == test.stdin) {
				t.Errorf("%q, %s: the hook from before received %.200q", shell, test.name, got)
			}
		}
	}
}

// A hook of somebody else's that took the place of vext's is left alone, and so
// is one that would be lost.
func TestNotOurs(t *testing.T) {
	h := newRepo(t, "/bin/true")
	path := filepath.Join(h.Place.Hooks, "post-receive")
	write(t, path, "#!/bin/sh\n# theirs\n", 0o755)
	if _, err := h.Install(); err != nil {
		t.Fatal(err)
	}
	write(t, path, "#!/bin/sh\n# another\n", 0o755)
	if err := h.Remove(false); err == nil || !strings.Contains(err.Error(), path+savedSuffix) {
		t.Errorf("removed: %v", err)
	}
	if _, err := h.Install(); err == nil || !strings.Contains(err.Error(), path+savedSuffix) {
		t.Errorf("installed: %v", err)
	}
	if got := read(t, path); !strings.Contains(got, "another") {
		t.Errorf("the hook is now %q", got)
	}
	if got := read(t, path+savedSuffix); !strings.Contains(got, "theirs") {
		t.Errorf("the hook from before is now %q", got)
	}
}

func TestQuote(t *testing.T) {
	for word, want := range map[string]string{
		"/usr/local/bin/vext": "/usr/local/bin/vext", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$HOME": "'$HOME'", "ä": "'ä'", "-": "-", "~": "'~'",
	} {
		if got := quote(word); got != want {
			t.Errorf("%q: %s", word, got)
		}
		out, err := exec.Command("sh", "-c", "printf %s "+quote(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q: the shell reads %q, %v", word, out, err)
		}
	}
}
