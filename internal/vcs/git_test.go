package vcs

import (
	"bytes"
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
	"vext/internal/weburl"
)

func subjects(commits []*commit.Commit) []string {
	var s []string
	for _, c := range commits {
		s = append(s, c.Branch()+" "+c.Subject)
	}
	return s
}

// One commit can be new on one branch and known on another; merges bring others
// in; branches end, begin and are forced.
func TestGraph(t *testing.T) {
	g := newGit(t)
	a := g.on("main", "a")
	b := g.on("main", "b")
	g.set("topic", a)
	g.on("topic", "t1")
	t2 := g.on("topic", "t2")
	m := g.on("main", "merge", t2)
	c := g.on("main", "c")
	r, _ := Open(Git, g.dir, weburl.URL{})
	for _, test := range []struct {
		name   string
		ranges []Range
		first  bool
		want   []string
	}{
		{"all of a merge", []Range{{Refname: "refs/heads/main", New: c, Since: []string{b}}}, false,
			[]string{"main t1", "main t2", "main merge", "main c"}},
		{"first parents", []Range{{Refname: "refs/heads/main", New: c, Since: []string{b}}}, true,
			[]string{"main merge", "main c"}},
		{"from the root", []Range{{Refname: "refs/heads/main", New: b}}, true, []string{"main a", "main b"}},
		{"two branches with the same commits", []Range{
			{Refname: "refs/heads/main", New: c, Since: []string{b}}, {Refname: "refs/heads/topic", New: t2, Since: []string{a}},
		}, false, []string{"main t1", "main t2", "main merge", "main c", "topic t1", "topic t2"}},
		{"known on one and new on the other", []Range{
			{Refname: "refs/heads/main", New: c, Since: []string{m}}, {Refname: "refs/heads/other", New: c, Since: []string{b}},
		}, true, []string{"main c", "other merge", "other c"}},
		{"a new branch that has nothing new", []Range{
			{Refname: "refs/heads/main", New: c, Since: []string{m}}, {Refname: "refs/heads/new", New: m, Since: []string{m, t2}},
		}, false, []string{"main c"}},
		{"two branches from the root", []Range{
			{Refname: "refs/heads/main", New: b}, {Refname: "refs/heads/x", New: b},
		}, true, []string{"main a", "main b", "x a", "x b"}},
		{"a position that is gone, on one", []Range{
			{Refname: "refs/heads/main", New: c, Since: []string{m, strings.Repeat("1", 40)}},
		}, false, []string{"main c"}},
		{"and on many", []Range{
			{Refname: "refs/heads/main", New: c, Since: []string{m, strings.Repeat("1", 40)}}, {Refname: "refs/heads/x", New: b, Since: []string{a}},
		}, false, []string{"main c", "x b"}},
	} {
		got, _ := walk(t, r, Log{Ranges: test.ranges, FirstParent: test.first})
		slices.Sort(test.want)
		sorted := subjects(got)
		slices.Sort(sorted)
		if !slices.Equal(sorted, test.want) {
			t.Errorf("%s: %q", test.name, subjects(got))
		}
		for i, c := range got { // in the order of the graph
			for _, later := range got[i+1:] {
				if c.Refname == later.Refname && isAncestor(g.dir, later.Revision, c.Revision) {
					t.Errorf("%s: %s came before %s", test.name, c.Subject, later.Subject)
				}
			}
		}
	}
	orphan := g.on("orphan", "o")
	for _, test := range []struct {
		position string
		others   []string
		want     bool
	}{{a, []string{c}, true}, {orphan, []string{c}, false}, {orphan, []string{c, orphan}, true}, {a, nil, false}} {
		if got, err := r.Related(t.Context(), test.position, test.others); err != nil || got != test.want {
			t.Errorf("Related: %v, %v", got, err)
		}
	}
	if _, err := r.Related(t.Context(), strings.Repeat("1", 40), []string{a}); err == nil {
		t.Error("Related takes a failure for an answer")
	}
	missing := strings.Repeat("1", 40)
	if got, err := r.Has(t.Context(), []string{a, missing, a}); err != nil || !slices.Equal(got, []string{a}) {
		t.Errorf("Has: %q, %v", got, err)
	}
}

func isAncestor(dir, a, b string) bool {
	return a != b && exec.Command("git", "-C", dir, "merge-base", "--is-ancestor", a, b).Run() == nil
}

// A New that the repository has not must never be taken for nothing new.
func TestMissingTip(t *testing.T) {
	g := newGit(t)
	g.on("main", "a")
	r, _ := Open(Git, g.dir, weburl.URL{})
	missing := strings.Repeat("2", 40)
	for _, ranges := range [][]Range{
		{{Refname: "refs/heads/main", New: missing}},
		{{Refname: "refs/heads/main", New: missing}, {Refname: "refs/heads/x", New: missing}},
	} {
		if _, err := r.Walk(t.Context(), Log{Ranges: ranges}, func(*commit.Commit) error { return nil }); err == nil {
			t.Error("no error")
		}
	}
}

// Messages are whatever somebody could commit.
func TestMessages(t *testing.T) {
	g := newGit(t)
	messages := []string{"", "\n\n", "a\x01b\x1b[31mc", "a\r\nMFC after: 1 week\r\n", strings.Repeat("long ", 1<<20), "kötü \xff\xfe"}
	for _, m := range messages {
		g.on("main", m)
	}
	head := run(t, g.dir, "git", "rev-parse", "main")
	tree := run(t, g.dir, "git", "mktree", "--missing")
	for _, people := range []string{ // as other programs have written them
		"author A <a@example.org> 99999999999999999999 +0000\ncommitter C <c@example.org> -1 +9999\n\na\x00b\n",
		"author <> 0 +0000\ncommitter\n\nno committer\n",
		"encoding ISO-8859-1\nauthor A <a@example.org> 1 +0000\ncommitter C <c@example.org> 1 +0000\n\n",
	} {
		cmd := exec.Command("git", "-C", g.dir, "hash-object", "-t", "commit", "-w", "--stdin", "--literally")
		cmd.Stdin = strings.NewReader("tree " + tree + "\nparent " + head + "\n" + people)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		head = strings.TrimSpace(string(out))
	}
	g.set("main", head)
	g.on("main", "last")
	r, _ := Open(Git, g.dir, weburl.URL{})
	tip := update(t, r)["refs/heads/main"]
	got, n := walk(t, r, Log{Ranges: []Range{{Refname: "refs/heads/main", New: tip}}})
	if n != len(messages)+4 || got[len(got)-1].Subject != "last" {
		t.Fatalf("%d commits", n)
	}
	for _, c := range got {
		if strings.ContainsAny(c.Message, "\x00\x01\x1b\r") || !commit.IsHash(c.Revision) {
			t.Errorf("%.60q", c.Message)
		}
	}
}

// A repository of SHA-256 is read like any other, and a copy follows a
// repository that is forced, and loses branches.
func TestCopy(t *testing.T) {
	g := newGit(t)
	a := g.on("main", "a")
	g.on("main", "b")
	g.on("gone", "g")
	r, _ := Open(Git, t.TempDir()+"/copy.git", weburl.Parse(g.dir))
	if got := update(t, r); len(got) != 2 {
		t.Errorf("%v", got)
	}
	g.set("main", a)
	c := g.on("main", "c")
	run(t, g.dir, "git", "update-ref", "-d", "refs/heads/gone")
	if got := update(t, r); len(got) != 1 || got["refs/heads/main"] != c {
		t.Errorf("%v", got)
	}
	got, _ := walk(t, r, Log{Ranges: []Range{{Refname: "refs/heads/main", New: c, Since: []string{a}}}})
	if len(got) != 1 || got[0].Subject != "c" {
		t.Errorf("%q", subjects(got))
	}
	want := func(ref string) bool { return ref == "refs/heads/main" }
	g.on("other", "o")
	r, _ = Open(Git, t.TempDir()+"/copy.git", weburl.Parse(g.dir))
	if got, err := r.Update(t.Context(), want); err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
}

// What a crash has left of a copy is made anew, and the repository around it is
// left alone.
func TestHalfMadeCopy(t *testing.T) {
	g := newGit(t)
	g.on("main", "theirs")
	outer := newGit(t)
	precious := outer.on("main", "precious")
	for _, missing := range []string{"objects", "refs", "HEAD", "config"} {
		dir := filepath.Join(outer.dir, "copy.git")
		r, _ := Open(Git, dir, weburl.Parse(g.dir))
		update(t, r)
		if err := os.RemoveAll(filepath.Join(dir, missing)); err != nil {
			t.Fatal(err)
		}
		if got := update(t, r); len(got) != 1 {
			t.Errorf("without %s: %v", missing, got)
		}
		if got := run(t, outer.dir, "git", "rev-parse", "main"); got != precious {
			t.Fatalf("without %s the repository around it was changed", missing)
		}
	}
}

// Hashes of 64 digits are followed, too, and a branch that becomes a directory
// of others.
func TestSHA256AndRenames(t *testing.T) {
	g := newGit(t)
	g.on("main", "a")
	dir := filepath.Join(t.TempDir(), "copy.git")
	r, _ := Open(Git, dir, weburl.Parse(g.dir))
	g.on("stable", "s")
	update(t, r)
	run(t, g.dir, "git", "branch", "-m", "stable", "stable/14")
	if got := update(t, r); len(got) != 2 || got["refs/heads/stable/14"] == "" {
		t.Errorf("renamed: %v", got)
	}
	os.RemoveAll(g.dir)
	run(t, "", "git", "init", "--quiet", "--bare", "--initial-branch=main", "--object-format=sha256", g.dir)
	tip := g.on("main", "b")
	if got := update(t, r); len(tip) != 64 || got["refs/heads/main"] != tip {
		t.Errorf("%v", got)
	}
	got, _ := walk(t, r, Log{Ranges: []Range{{Refname: "refs/heads/main", New: tip}}})
	if len(got) != 1 || got[0].Revision != tip {
		t.Errorf("%+v", got)
	}
}

// Reading a repository in which nothing is new writes nothing.
func TestUpdateWithoutNews(t *testing.T) {
	g := newGit(t)
	g.on("main", "a")
	dir := filepath.Join(t.TempDir(), "copy")
	r, _ := Open(Git, dir, weburl.Parse("file://"+g.dir))
	var before os.FileInfo
	for i := range 2 {
		if _, err := r.Update(t.Context(), func(string) bool { return true }); err != nil {
			t.Fatal(err)
		}
		config, err := os.Stat(filepath.Join(dir, "config"))
		if err != nil || i == 1 && !os.SameFile(before, config) {
			t.Errorf("config was written again: %v", err)
		}
		before = config
	}
}

// A crash leaves a lock beside any branch, whatever its name. A lock that is in use stays.
func TestStaleLocks(t *testing.T) {
	g := &gitRepository{dir: t.TempDir()}
	old := time.Now().Add(-2 * staleLock)
	for lock, stale := range map[string]bool{
		"packed-refs.lock": true, "refs/heads/main.lock": true, "refs/heads/a/b/c.lock": true, "refs/heads/caf\xe9/x.lock": true,
		"refs/heads/new.lock": false,
	} {
		lock = filepath.Join(g.dir, lock)
		if err := errors.Join(os.MkdirAll(filepath.Dir(lock), 0o755), os.WriteFile(lock, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
		if stale {
			os.Chtimes(lock, old, old)
		}
		g.clearLocks()
		if _, err := os.Stat(lock); (err != nil) != stale {
			t.Errorf("%q: %v", lock, err)
		}
	}
}

func FuzzRecords(f *testing.F) {
	hash := strings.Repeat("0123456789", 4)
	f.Add([]byte(hash + "\x00\x00A\x00a@b\x002026-11-20T10:00:00+01:00\x00B\x00b@c\x002026-11-20T10:00:00+01:00\x00m\n\x00"))
	f.Add([]byte(hash + "\x00" + hash + " " + hash))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		readRecords(bytes.NewReader(data), func(r *record) error {
			c := r.commit("refs/heads/main")
			if !commit.IsHash(c.Revision) || strings.ContainsAny(c.Committer.String(), "\n\x00") {
				return fmt.Errorf("%+v", c)
			}
			return nil
		})
	})
}

func FuzzChangeset(f *testing.F) {
	f.Add([]byte(`["0123456789012345678901234567890123456789","default","Jane <j@x>","2026-11-20T10:00:00+01:00","m","f\ng"]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		readChangesets(bytes.NewReader(data), func(c *commit.Commit) error {
			if !commit.IsHash(c.Revision) {
				t.Errorf("%+v", c)
			}
			return nil
		})
	})
}
