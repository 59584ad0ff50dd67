package backport_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vext/internal/backport"
	"vext/internal/backport/backporttest"
	"vext/internal/testkit"
	"vext/internal/vcs"
)

// A tree is a work tree in which a test runs the programs of a version control system.
type tree struct {
	t         *testing.T
	dir, work string // the repository, and its work tree
	n         int
}

func (w *tree) run(name string, args ...string) string {
	w.t.Helper()
	w.n++
	cmd := exec.Command(name, args...)
	cmd.Dir = w.work
	cmd.Env = append(testkit.EnvWithout("GIT_", "HG"), "LC_ALL=C.UTF-8", "HGPLAIN=1", "HGRCPATH=", "HGUSER=Ida <ida@example.org>",
		"SVN_I_LOVE_CORRUPTED_WORKING_COPIES_SO_DISABLE_SLEEP_FOR_TIMESTAMPS=yes",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_NAME=Ida", "GIT_AUTHOR_EMAIL=ida@example.org",
		"GIT_COMMITTER_NAME=Jane", "GIT_COMMITTER_EMAIL=jane@example.org", fmt.Sprintf("GIT_AUTHOR_DATE=%d +0000", 1_700_000_000+w.n))
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *tree) write(name string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.work, name), []byte("text of "+name+"\n"), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *tree) open(kind vcs.Kind, development string) backport.Looker {
	w.t.Helper()
	l, err := backport.Open(w.t.Context(), backport.Options{
		Kind: kind, Dir: w.dir, Cache: filepath.Join(w.t.TempDir(), "cache"),
		IsDevelopment: func(refname string) bool { return refname == development },
		Asks:          func(message []byte) bool { return bytes.Contains(message, []byte("MFC after:")) },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

func newTree(t *testing.T) *tree {
	dir := t.TempDir()
	return &tree{t: t, dir: dir, work: dir}
}

type gitTree struct{ *tree }

func newGitTree(t *testing.T) backporttest.History {
	testkit.Program(t, "git")
	w := gitTree{newTree(t)}
	w.run("git", "init", "-q", "-b", "main")
	w.Commit("base", "base")
	w.dir = filepath.Join(w.work, ".git")
	w.run("git", "branch", "stable/15")
	w.run("git", "branch", "stable/14")
	return w
}

func (w gitTree) Commit(name, message string) string {
	w.write(name)
	w.run("git", "add", name)
	w.run("git", "commit", "-q", "-m", message)
	return w.run("git", "rev-parse", "HEAD")
}

func (w gitTree) Pick(branch, revision string) string {
	w.run("git", "checkout", "-q", branch)
	w.run("git", "cherry-pick", "-x", revision)
	by := w.run("git", "rev-parse", "HEAD")
	w.run("git", "checkout", "-q", "main")
	return by
}

func (w gitTree) Revert(revision string) string {
	w.run("git", "revert", "--no-edit", revision)
	return w.run("git", "rev-parse", "HEAD")
}

func (w gitTree) Looker() backport.Looker { return w.open(vcs.Git, "refs/heads/main") }

type hgTree struct{ *tree }

// hgTrees returns a function that copies one repository, because hg takes long to start.
func hgTrees(t *testing.T) func(t *testing.T) backporttest.History {
	testkit.Program(t, "hg")
	first := hgTree{newTree(t)}
	first.run("hg", "init")
	first.Commit("base", "base")
	for _, branch := range []string{"stable/15", "stable/14"} {
		first.run("hg", "update", "-q", "0")
		first.run("hg", "branch", "-q", branch)
		first.write(branch[7:])
		first.run("hg", "commit", "-q", "-A", "-m", branch)
	}
	first.run("hg", "update", "-q", "default")
	return func(t *testing.T) backporttest.History {
		w := hgTree{newTree(t)}
		if err := os.CopyFS(w.dir, os.DirFS(first.dir)); err != nil {
			t.Fatal(err)
		}
		return w
	}
}

func (w hgTree) node() string { return w.run("hg", "log", "-r", ".", "-T", "{node}") }

func (w hgTree) Commit(name, message string) string {
	w.write(name)
	w.run("hg", "commit", "-q", "-A", "-m", message)
	return w.node()
}

func (w hgTree) Pick(branch, revision string) string {
	w.run("hg", "update", "-q", branch)
	w.run("hg", "graft", "-q", revision)
	by := w.node()
	w.run("hg", "update", "-q", "default")
	return by
}

func (w hgTree) Revert(revision string) string {
	w.run("hg", "backout", "-q", "-m", "Backed out changeset "+revision[:12], revision)
	return w.node()
}

func (w hgTree) Looker() backport.Looker { return w.open(vcs.Hg, "default") }

type svnTree struct{ *tree }

func newSvnTree(t *testing.T) backporttest.History {
	testkit.Program(t, "svn")
	testkit.Program(t, "svnadmin")
	w := svnTree{&tree{t: t, dir: filepath.Join(t.TempDir(), "repository"), work: t.TempDir()}}
	w.run("svnadmin", "create", w.dir)
	w.run("svn", "mkdir", "-q", "-m", "layout", w.url("head"), w.url("stable"))
	w.run("svn", "checkout", "-q", w.url(""), ".")
	w.Commit("base", "base")
	for _, branch := range []string{"stable/15", "stable/14"} {
		w.run("svn", "copy", "-q", "-m", branch, w.url("head"), w.url(branch))
	}
	return w
}

func (w svnTree) url(path string) string { return "file://" + w.dir + "/" + path }

func (w svnTree) commit(message string) string {
	w.run("svn", "commit", "-q", "-m", message)
	w.run("svn", "update", "-q")
	return "r" + w.run("svn", "info", "--show-item", "revision", ".")
}

func (w svnTree) Commit(name, message string) string {
	w.write("head/" + name)
	w.run("svn", "add", "-q", "head/"+name)
	return w.commit(message)
}

func (w svnTree) Pick(branch, revision string) string {
	w.run("svn", "update", "-q")
	w.run("svn", "merge", "-q", "--non-interactive", "-c", revision, w.url("head"), branch)
	return w.commit("merge")
}

func (w svnTree) Revert(revision string) string {
	w.run("svn", "merge", "-q", "--non-interactive", "-c", "-"+revision[1:], w.url("head"), "head")
	return w.commit("Revert " + revision)
}

func (w svnTree) Looker() backport.Looker { return w.open(vcs.Svn, "head") }

func TestLookers(t *testing.T) {
	unmade := strings.Repeat("12", 20)
	run := func(name string, suite backporttest.Suite) {
		suite.NewBranch, suite.OldBranch = "stable/15", "stable/14"
		t.Run(name, suite.Run)
	}
	run("git", backporttest.Suite{New: newGitTree, Unmade: unmade, Applies: true})
	run("svn", backporttest.Suite{New: newSvnTree, Unmade: "r99999"})
	run("hg", backporttest.Suite{New: hgTrees(t), Unmade: unmade})
}

// A merge that is taken back is one no more.
func TestReversedMergeOfSubversion(t *testing.T) {
	w := newSvnTree(t).(svnTree)
	c, before := w.Commit("a", "a: add"), "r2"
	w.Pick("stable/15", c)
	w.run("svn", "merge", "-q", "--non-interactive", "-c", "-"+c[1:], w.url("head"), "stable/15")
	w.commit("no more")
	reports, err := w.Looker().Look(t.Context(), []backport.Question{
		{Revision: c, Targets: []string{"stable/15"}}, {Revision: before, Targets: []string{"stable/15"}},
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	if state := reports[0].Targets[0].State; state != backport.Unknown {
		t.Errorf("%s is %s after it was taken back", c, state)
	}
	if state := reports[1].Targets[0].State; state != backport.Merged {
		t.Errorf("%s, from before the branch, is %s", before, state)
	}
	if want := "svn merge -c " + c + " ^/head"; reports[0].Command["stable/15"] != want {
		t.Errorf("command %q, want %q", reports[0].Command["stable/15"], want)
	}
}

// Without a repository, nothing is known but what persons have said.
func TestNoRepository(t *testing.T) {
	question := backport.Question{Revision: "r1", Targets: []string{"a", "b"}, Marks: []backport.Mark{{Kind: backport.MarkDone, Target: "b", Who: "ida"}}}
	reports, err := backport.NoRepository().Look(t.Context(), []backport.Question{question}, true)
	if err != nil || len(reports) != 1 || reports[0].Targets[0].Why != "no repository to look at" || reports[0].Targets[1].State != backport.Merged {
		t.Errorf("%+v, %v", reports, err)
	}
}
