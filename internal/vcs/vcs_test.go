package vcs

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

	"vext/internal/commit"
	"vext/internal/testkit"
	"vext/internal/weburl"
)

// A maker makes commits in a repository of one kind, for the suite.
type maker interface {
	url() string
	// commit makes a commit on the development branch.
	commit(message string)
}

// run runs a program in dir and returns what it printed.
func run(t testing.TB, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HGUSER=Jane Miller <jane@example.org>", "HGRCPATH=", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=Ann Author", "GIT_AUTHOR_EMAIL=ann@example.org", "GIT_AUTHOR_DATE=2026-11-19T09:00:00+01:00",
		"GIT_COMMITTER_NAME=Jane Miller", "GIT_COMMITTER_EMAIL=jane@example.org", "GIT_COMMITTER_DATE=2026-11-20T10:00:00+01:00")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

type gitMaker struct {
	t   *testing.T
	dir string
}

func newGit(t *testing.T) *gitMaker {
	testkit.Program(t, "git")
	g := &gitMaker{t, filepath.Join(t.TempDir(), "w.git")}
	run(t, "", "git", "init", "--quiet", "--bare", "--initial-branch=main", g.dir)
	return g
}

func (g *gitMaker) url() string           { return g.dir }
func (g *gitMaker) commit(message string) { g.on("main", message) }

// on makes a commit on a branch, with further parents, and returns its hash.
func (g *gitMaker) on(branch, message string, parents ...string) string {
	tree := run(g.t, g.dir, "git", "mktree", "--missing")
	args := []string{"commit-tree", tree}
	if out, err := exec.Command("git", "-C", g.dir, "rev-parse", "--verify", "--quiet", "refs/heads/"+branch).Output(); err == nil {
		args = append(args, "-p", strings.TrimSpace(string(out)))
	}
	for _, p := range parents {
		args = append(args, "-p", p)
	}
	cmd := exec.Command("git", args...)
	cmd.Dir = g.dir
	cmd.Stdin = strings.NewReader(message)
	cmd.Env = append(os.Environ(),
		"GIT_AUTHOR_NAME=Ann Author", "GIT_AUTHOR_EMAIL=ann@example.org", "GIT_AUTHOR_DATE=2026-11-19T09:00:00+01:00",
		"GIT_COMMITTER_NAME=Jane Miller", "GIT_COMMITTER_EMAIL=jane@example.org", "GIT_COMMITTER_DATE=2026-11-20T10:00:00+01:00")
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatal(err)
	}
	hash := strings.TrimSpace(string(out))
	g.set(branch, hash)
	return hash
}

func (g *gitMaker) set(branch, hash string) {
	run(g.t, g.dir, "git", "update-ref", "refs/heads/"+branch, hash)
}

type hgMaker struct {
	t   *testing.T
	dir string
	n   int
}

func newHg(t *testing.T) *hgMaker {
	testkit.Program(t, "hg")
	h := &hgMaker{t: t, dir: filepath.Join(t.TempDir(), "w")}
	run(t, "", "hg", "init", h.dir)
	return h
}

func (h *hgMaker) url() string { return h.dir }
func (h *hgMaker) commit(message string) {
	h.n++
	if err := os.WriteFile(filepath.Join(h.dir, "f"), []byte(fmt.Sprint(h.n)), 0o644); err != nil {
		h.t.Fatal(err)
	}
	run(h.t, h.dir, "hg", "commit", "--addremove", "--quiet", "--date", "2026-11-20 10:00 +0100", "--message", message)
}

type svnMaker struct {
	t    *testing.T
	dir  string
	tree string
	n    int
}

func newSvn(t *testing.T) *svnMaker {
	testkit.Program(t, "svn")
	testkit.Program(t, "svnadmin")
	s := &svnMaker{t: t, dir: filepath.Join(t.TempDir(), "w")}
	s.tree = s.dir + ".tree"
	run(t, "", "svnadmin", "create", s.dir)
	run(t, "", "svn", "checkout", "--quiet", fileURL(s.dir), s.tree)
	return s
}

func (s *svnMaker) url() string { return fileURL(s.dir) }
func (s *svnMaker) commit(message string) {
	s.n++
	run(s.t, s.tree, "sh", "-c", fmt.Sprintf("mkdir -p trunk && echo %d > trunk/f && svn add --force --quiet trunk", s.n))
	run(s.t, s.tree, "svn", "commit", "--quiet", "--username", "jane", "--message", message)
}

// Every repository returns what is new, and only that, oldest first, with who
// made it and what it says.
func TestSuite(t *testing.T) {
	for kind, make := range map[Kind]func(*testing.T) maker{
		Git: func(t *testing.T) maker { return newGit(t) },
		Hg:  func(t *testing.T) maker { return newHg(t) },
		Svn: func(t *testing.T) maker { return newSvn(t) },
	} {
		for _, place := range []string{"copy", "in place"} {
			t.Run(string(kind)+" "+place, func(t *testing.T) { suite(t, kind, make(t), place == "copy") })
		}
	}
}

func suite(t *testing.T, kind Kind, m maker, isCopy bool) {
	dir, url := filepath.Join(t.TempDir(), "copy."+string(kind)), m.url()
	if !isCopy {
		dir, url = strings.TrimPrefix(url, "file://"), ""
	}
	if got, err := Detect(t.Context(), weburl.Parse(m.url())); err != nil || got != kind {
		t.Errorf("Detect: %q, %v", got, err)
	}
	r, err := Open(kind, dir, weburl.Parse(url))
	if err != nil {
		t.Fatal(err)
	}
	before := update(t, r) // of an empty repository
	m.commit("first\n")
	first := update(t, r)
	if len(first) != 1 {
		t.Fatalf("positions: %v", first)
	}
	message := "foo: fix bär\n\nwith \"quotes\", <tags> and a tab\t.\n\nMFC after:\t2 weeks\n"
	m.commit("second\n")
	m.commit(message)
	last := update(t, r)
	for ref, position := range last {
		got, n := walk(t, r, Log{Ranges: []Range{{Refname: ref, New: position, Since: []string{first[ref]}}}})
		if n != 2 || len(got) != 2 || got[0].Subject != "second" || got[1].Message != message {
			t.Errorf("new are %d: %+v", n, got)
		}
		c := got[1]
		if c.Committer.Login() != "jane" || c.Date.IsZero() || (c.Branch() != "main" && c.Branch() != "default" && c.Branch() != "trunk") {
			t.Errorf("got %+v", c)
		}
		got, _ = walk(t, r, Log{Ranges: []Range{{Refname: ref, New: position, Since: []string{before[ref]}}}})
		if len(got) != 3 {
			t.Errorf("of all: %d", len(got))
		}
		got, _ = walk(t, r, Log{Ranges: []Range{{Refname: ref, New: position, Since: []string{position}}}})
		if len(got) != 0 {
			t.Errorf("nothing is new, and got %d", len(got))
		}
		var chosen []string
		_, err := r.Walk(t.Context(), Log{
			Ranges: []Range{{Refname: ref, New: position}},
			Match:  func(m []byte) bool { return strings.Contains(string(m), "MFC") },
		}, func(c *commit.Commit) error {
			if c.Message != "" {
				chosen = append(chosen, c.Subject)
			}
			return nil
		})
		if err != nil || !slices.Equal(chosen, []string{"foo: fix bär"}) {
			t.Errorf("chosen: %q, %v", chosen, err)
		}
		stop := errors.New("stop")
		if _, err := r.Walk(t.Context(), Log{Ranges: []Range{{Refname: ref, New: position}}}, func(*commit.Commit) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("an error of fn: %v", err)
		}
		got, _ = walk(t, r, Log{Ranges: []Range{{Refname: ref, New: position, After: time.Now().Add(48 * 365 * time.Hour)}}})
		for _, c := range got {
			if c.Message != "" {
				t.Errorf("too old: %+v", c)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := r.Walk(ctx, Log{Ranges: []Range{{Refname: ref, New: position}}}, func(*commit.Commit) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %v", err)
		}
	}
}

func update(t *testing.T, r Repository) map[string]string {
	t.Helper()
	positions, err := r.Update(t.Context(), func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	return positions
}

func walk(t *testing.T, r Repository, log Log) ([]*commit.Commit, int) {
	t.Helper()
	var got []*commit.Commit
	for i := range log.Ranges {
		log.Ranges[i].Since = slices.DeleteFunc(log.Ranges[i].Since, func(s string) bool { return s == "" })
	}
	n, err := r.Walk(t.Context(), log, func(c *commit.Commit) error {
		got = append(got, c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got, n
}

// The error for a missing repository names the program and has its message.
func TestErrors(t *testing.T) {
	for _, kind := range []Kind{Git, Hg, Svn} {
		testkit.Program(t, string(kind))
		r, err := Open(kind, filepath.Join(t.TempDir(), "copy"), weburl.Parse(filepath.Join(t.TempDir(), "missing")))
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Update(t.Context(), func(string) bool { return true })
		if err == nil || !strings.HasPrefix(err.Error(), string(kind)+" ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if _, err := Detect(t.Context(), weburl.Parse(filepath.Join(t.TempDir(), "missing"))); !errors.Is(err, ErrUnknownKind) {
		t.Error(err)
	}
}

// A repository can be reached, by its path or its URL, or the error is why not;
// one that is there and empty can.
func TestReach(t *testing.T) {
	for kind, m := range map[Kind]maker{Git: newGit(t), Hg: newHg(t), Svn: newSvn(t)} {
		path := strings.TrimPrefix(m.url(), "file://")
		for _, url := range []string{path, fileURL(path)} {
			if err := Reach(t.Context(), kind, weburl.Parse(url)); err != nil {
				t.Errorf("%s %s: %v", kind, url, err)
			}
			if err := Reach(t.Context(), kind, weburl.Parse(url+"-missing")); err == nil {
				t.Errorf("%s %s: what is not there was reached", kind, url)
			}
		}
	}
}
