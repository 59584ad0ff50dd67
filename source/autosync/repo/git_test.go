package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
)

// asPerson has git know a person, and nothing else of this machine's user.
func asPerson(t testing.TB) {
	t.Helper()
	testkit.Program(t, "git")
	config := filepath.Join(t.TempDir(), "config")
	must(t, os.WriteFile(config, []byte("[user]\n\tname = Jane\n\temail = jane@example.org\n[init]\n\tdefaultBranch = main\n[protocol \"file\"]\n\tallow = always\n"), 0o644))
	t.Setenv("GIT_CONFIG_GLOBAL", config)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A tree is a work tree with one commit.
type tree struct {
	testing.TB
	*gitRepo
}

func newTree(t testing.TB) tree {
	t.Helper()
	asPerson(t)
	root := filepath.Join(t.TempDir(), "tree")
	must(t, os.Mkdir(root, 0o777))
	sh(t, root, "git init -q . && echo one >a && mkdir d && echo two >d/b && git add . && git commit -qm first")
	return tree{t, openAt(t, root)}
}

func openAt(t testing.TB, root string) *gitRepo {
	t.Helper()
	r, err := Open(t.Context(), "", Options{Path: root, Host: "alpha", Now: func() time.Time { return time.Unix(1_900_000_000, 0) }})
	must(t, err)
	return r.(*gitRepo)
}

// sh runs a script as a person would, and returns what it prints.
func sh(t testing.TB, dir, script string) string {
	t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

func (t tree) sh(script string) string {
	t.Helper()
	return sh(t.TB, t.root, script)
}

// list returns changes as "added a", with what is said of them.
func list(changes []Change) []string {
	var lines []string
	for _, c := range changes {
		line := string(c.Kind) + " " + c.Path
		if c.Staged {
			line += " staged"
		}
		if c.Refuse != "" {
			line += " (" + c.Refuse + ")"
		}
		lines = append(lines, line)
	}
	return lines
}

func (t tree) changes(paths ...string) []Change {
	t.Helper()
	changes, err := t.Changes(t.Context(), paths...)
	must(t.TB, err)
	return changes
}

// wantChanges checks what has changed.
func (t tree) wantChanges(want ...string) {
	t.Helper()
	if got := list(t.changes()); !slices.Equal(got, want) {
		t.Errorf("changes %q, want %q", got, want)
	}
}

func words(text string) Message {
	return func(context.Context, []Stat) (string, error) { return text, nil }
}

// save commits all changes.
func (t tree) save() *Commit {
	t.Helper()
	c, err := t.Commit(t.Context(), t.changes(), words("saved"))
	must(t.TB, err)
	t.isSound()
	return c
}

// isSound checks what holds at all times.
func (t tree) isSound() {
	t.Helper()
	t.sh("git fsck --strict 2>&1 && git symbolic-ref -q HEAD && test ! -e .git/index.lock && test ! -e .git/vext/lock")
}

// want checks what a script prints.
func (t tree) want(script, want string) {
	t.Helper()
	if got := t.sh(script); got != want {
		t.Errorf("%s: %q, want %q", script, got, want)
	}
}

func TestOpenGit(t *testing.T) {
	tree := newTree(t)
	tree.sh("git worktree add -q ../linked && git init -q --bare ../bare && git clone -q . ../sub && git submodule --quiet add ../sub sub")
	linked, submodule := openAt(t, tree.root+"/../linked"), openAt(t, tree.root+"/sub")
	if linked.gitDir != tree.gitDir+"/worktrees/linked" || linked.commonDir != tree.gitDir || submodule.gitDir != tree.gitDir+"/modules/sub" {
		t.Errorf("%s %s %s", linked.gitDir, linked.commonDir, submodule.gitDir)
	}
	if info, err := os.Stat(linked.Dir()); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info, err)
	}
	for path, want := range map[string]string{
		"d": "not the root of its work tree, which is " + tree.root, "../bare": "a bare repository",
		"..": "not under version control", "../nowhere": "no such file", ".git": "not in a work tree", "a": "not a directory",
	} {
		if _, err := Open(t.Context(), "", Options{Path: filepath.Join(tree.root, path)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := Open(t.Context(), "svn", Options{Path: tree.root}); err == nil {
		t.Error("svn")
	}
}

// Variables of a git that has started vext, or of a terminal, do not count.
func TestGitEnvironment(t *testing.T) {
	tree := newTree(t)
	for name, value := range map[string]string{"GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere", "GIT_WORK_TREE": "/nowhere", "GIT_GLOB_PATHSPECS": "1", "GPG_TTY": "/dev/tty"} {
		t.Setenv(name, value)
	}
	must(t, os.WriteFile(tree.abs("a"), []byte("new\n"), 0o666))
	again := openAt(t, tree.root)
	changes, err := again.Changes(t.Context())
	if err != nil || len(changes) != 1 {
		t.Errorf("%q %v", list(changes), err)
	}
	cmd := again.command(t.Context(), gitRun{args: []string{"x"}})
	if slices.ContainsFunc(cmd.Env, func(e string) bool { return strings.HasPrefix(e, "GPG_TTY=") }) {
		t.Error("a password would be asked for at the terminal")
	}
}

func TestGitPlace(t *testing.T) {
	tree := newTree(t)
	gone := func(what string) {
		t.Helper()
		var stopped *StoppedError
		if err := tree.Ready(t.Context()); !errors.As(err, &stopped) {
			t.Errorf("%s: ready: %v", what, err)
		}
		if changes, err := tree.Changes(t.Context()); !errors.As(err, &stopped) || len(changes) > 0 {
			t.Errorf("%s: %q %v", what, list(changes), err)
		}
		if c, err := tree.Commit(t.Context(), []Change{{Path: "a", Kind: Deleted}}, words("x")); !errors.As(err, &stopped) || c != nil {
			t.Errorf("%s: %v %v", what, c, err)
		}
	}
	sh(t, "/", fmt.Sprintf("mv %[1]s %[1]s.away", tree.root))
	gone("no directory")
	must(t, os.Mkdir(tree.root, 0o777))
	gone("an empty directory")
	sh(t, "/", fmt.Sprintf("rmdir %[1]s; cp -a %[1]s.away %[1]s", tree.root))
	gone("another directory")
	sh(t, "/", fmt.Sprintf("rm -r %[1]s; mv %[1]s.away %[1]s", tree.root))
	must(t, tree.Ready(t.Context()))
	sh(t, tree.root, "mv .git .away")
	gone("no git directory")
}

func TestGitRemote(t *testing.T) {
	tree := newTree(t)
	is := func(url, branch string) {
		t.Helper()
		if u, b, err := tree.RemoteURL(t.Context()); u != url || b != branch || err != nil {
			t.Errorf("%q %q %v, want %q %q", u, b, err, url, branch)
		}
	}
	is("", "main")
	tree.sh("git remote add one https://jane:secret@example.org/one")
	is("https://jane@example.org/one", "main")
	tree.sh("git remote add two https://example.org/two")
	is("", "main")
	tree.sh("git remote add origin https://example.org/origin && git remote set-url --push origin ssh://example.org/push")
	is("ssh://example.org/push", "main")
	tree.sh("git config branch.main.remote two && git config branch.main.merge refs/heads/theirs")
	is("https://example.org/two", "theirs")
	tree.opts.Remote = "one"
	is("https://jane@example.org/one", "main")
	tree.opts.Branch = "there"
	is("https://jane@example.org/one", "there")
	tree.opts.Remote = "none"
	if _, _, err := tree.RemoteURL(t.Context()); err == nil {
		t.Error("a remote that does not exist")
	}
	tree.opts.Remote, tree.opts.Branch = "", ""
	tree.sh("git config branch.main.remote https://jane:secret@example.org/direct")
	is("https://jane@example.org/direct", "theirs")
}

func TestGitIdentity(t *testing.T) {
	tree := newTree(t)
	first := strings.TrimSpace(tree.sh("git rev-parse HEAD"))
	tree.sh("git clone -q . ../other && git commit -q --allow-empty -m more && git clone -q --depth 1 file://$PWD ../shallow && git init -q ../empty")
	for name, want := range map[string]string{"tree": first, "other": first} {
		if id, err := openAt(t, tree.root+"/../"+name).Identity(t.Context()); id != want || err != nil {
			t.Errorf("%s: %q %v", name, id, err)
		}
	}
	shallow, err := openAt(t, tree.root+"/../shallow").Identity(t.Context())
	if err != nil || !strings.Contains(shallow, tree.root) {
		t.Errorf("shallow: %q %v", shallow, err)
	}
	if id, err := openAt(t, tree.root+"/../empty").Identity(t.Context()); id != "" || err != nil {
		t.Errorf("empty: %q %v", id, err)
	}
	if got := oldest("900000000 b\n1000000000 a\n900000000 a2\n"); got != "a2" {
		t.Error(got)
	}
	if head, err := openAt(t, tree.root+"/../empty").Head(t.Context()); head != "" || err != nil {
		t.Errorf("head: %q %v", head, err)
	}
}

func TestGitInternal(t *testing.T) {
	tree := newTree(t)
	tree.sh("git checkout -qb topic/x && git clone -q --bare . ../b && git remote add o ../b && git fetch -q o")
	got := tree.Internal()
	for _, dir := range []string{"", "/refs/heads", "/refs/heads/topic", "/refs/remotes/o"} {
		if !slices.Contains(got, tree.gitDir+dir) {
			t.Errorf("%q lacks %q", got, dir)
		}
	}
}
