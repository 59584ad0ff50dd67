package repo_test

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"vext/internal/testkit"
	"vext/source/autosync/repo"
	"vext/source/autosync/repo/repotest"
)

// hg runs hg as a person does.
func hg(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("hg", append([]string{"-y", "--config", "ui.username=Person <person@example.org>", "--config", "extensions.rebase=", "--config", "extensions.histedit=", "--config", "extensions.strip="}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HGPLAIN=1", "HGEDITOR=true")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("hg %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// hgPerson has hg know a person, and nothing else of this machine's user.
func hgPerson(t *testing.T) {
	t.Helper()
	testkit.Program(t, "hg")
	hgrc := filepath.Join(t.TempDir(), "hgrc")
	if err := os.WriteFile(hgrc, []byte("[ui]\nusername = Test <test@example.org>\nmerge = false\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HGRCPATH", hgrc)
}

// quickHg has chg, which comes with hg, in the place of hg: one process does what others ask
// for, so that Python need not start each time. VEXT_TEST_LONG=1 tests hg as it is.
func quickHg(t *testing.T) {
	t.Helper()
	hg, err := exec.LookPath("hg")
	chg, missing := exec.LookPath("chg")
	if err != nil || missing != nil || os.Getenv("VEXT_TEST_LONG") != "" {
		return
	}
	dir := t.TempDir()
	if err := os.Symlink(chg, filepath.Join(dir, "hg")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("CHGHG", hg)
	t.Setenv("CHGSOCKNAME", filepath.Join(dir, "socket"))
	t.Cleanup(func() { exec.Command(chg, "--kill-chg-daemon").Run() })
}

// hgClones returns a server and two clones of it.
func hgClones(t *testing.T, o repo.Options) (server string, a, b repo.Repository) {
	t.Helper()
	dir := t.TempDir()
	server = filepath.Join(dir, "server")
	hg(t, dir, "init", "server")
	open := func(host string) repo.Repository {
		hg(t, dir, "clone", "-q", "server", host)
		o.Host, o.Path = host, filepath.Join(dir, host)
		r, err := repo.Open(t.Context(), "hg", o)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	return server, open("alpha"), open("beta")
}

// hgContains reports whether a file of any commit has a content.
func hgContains(t *testing.T, r repo.Repository, content string) bool {
	for rev := range strings.Lines(hg(t, r.Root(), "log", "-r", "::.", "-T", "{node}\n")) {
		rev = strings.TrimSpace(rev)
		for name := range strings.Lines(hg(t, r.Root(), "files", "-r", rev)) {
			if hg(t, r.Root(), "cat", "-r", rev, strings.TrimSpace(name)) == content {
				return true
			}
		}
	}
	return false
}

// hgShort are the tests of the suite that always run: hg takes long to start.
var hgShort = []string{"one_commit", "names", "behind", "conflict", "deleted_there", "unsafe"}

func TestHg(t *testing.T) {
	hgPerson(t)
	quickHg(t)
	repotest.Run(t, func(t *testing.T, o repo.Options) repotest.Setup {
		if os.Getenv("VEXT_TEST_LONG") == "" && !slices.Contains(hgShort, path.Base(t.Name())) {
			t.Skip("VEXT_TEST_LONG=1 tests it with hg")
		}
		server, a, b := hgClones(t, o)
		return repotest.Setup{
			A: a, B: b, MergesLines: true,
			Contains: func(r repo.Repository, content string) bool { return hgContains(t, r, content) },
			Unsafe:   hgUnsafe(t, a.Root()),
			Cut: func() {
				if err := os.Rename(server, server+".away"); err != nil {
					t.Fatal(err)
				}
			},
			Unrelate: func() {
				if err := os.RemoveAll(server); err != nil {
					t.Fatal(err)
				}
				hg(t, filepath.Dir(server), "init", "server")
				if err := os.WriteFile(filepath.Join(server, "x"), []byte("x\n"), 0o666); err != nil {
					t.Fatal(err)
				}
				hg(t, server, "commit", "-q", "-A", "-m", "another history")
			},
			Refuses: func(name string) bool { return strings.ContainsAny(name, "\r\n") },
		}
	})
}

// hgUnsafe returns the states of a work tree in which a person is at work.
func hgUnsafe(t *testing.T, dir string) map[string]func() func() {
	file := func(name, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	fails := func(args ...string) { // as commands do that stop at a conflict
		cmd := exec.Command("hg", append([]string{"-y", "--config", "extensions.rebase=", "--config", "extensions.histedit="}, append(args, "--tool", ":fail")...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err == nil {
			t.Fatalf("hg %q does not stop: %s", args, out)
		}
	}
	var lines []string
	diverge := func() (theirs, ours string) {
		if len(lines) == 0 {
			file("a", "base\n")
			hg(t, dir, "commit", "-q", "-A", "-m", "base")
			file("a", "theirs\n")
			hg(t, dir, "commit", "-q", "-m", "theirs")
			hg(t, dir, "update", "-q", "0")
			file("a", "ours\n")
			hg(t, dir, "commit", "-q", "-m", "ours")
			lines = strings.Fields(hg(t, dir, "log", "-r", "1:2", "-T", "{node}\n"))
		}
		return lines[0], lines[1]
	}
	return map[string]func() func(){
		"merge": func() func() {
			theirs, ours := diverge()
			fails("merge", "-r", theirs)
			return func() { hg(t, dir, "update", "-q", "-C", "-r", ours) }
		},
		"rebase": func() func() {
			theirs, ours := diverge()
			fails("rebase", "-r", ours, "-d", theirs)
			return func() { hg(t, dir, "rebase", "--abort") }
		},
		"graft": func() func() {
			theirs, _ := diverge()
			fails("graft", "-r", theirs)
			return func() { hg(t, dir, "graft", "--abort") }
		},
		"bisect": func() func() {
			_, ours := diverge()
			hg(t, dir, "bisect", "--bad", ours)
			return func() { hg(t, dir, "bisect", "--reset") }
		},
		"older": func() func() {
			_, ours := diverge()
			hg(t, dir, "update", "-q", "-r", "0")
			return func() { hg(t, dir, "update", "-q", "-r", ours) }
		},
		"locked": func() func() {
			name, _ := os.Hostname()
			lock := filepath.Join(dir, ".hg", "wlock")
			if err := os.Symlink(name+":"+strconv.Itoa(os.Getpid()), lock); err != nil {
				t.Fatal(err)
			}
			return func() { os.Remove(lock) }
		},
	}
}
