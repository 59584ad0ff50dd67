package autosync

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vext/source/autosync/repo"
	"vext/source/autosync/repo/repotest"
	"vext/source/autosync/watch"
)

// many returns n files.
func many(n int, format string) (files []string) {
	for i := range n {
		files = append(files, fmt.Sprintf(format, i))
	}
	return files
}

// More changed files than max_change are committed by Now only. New files do not count,
// nor do those that have moved.
func TestMaxChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, repotest.NewRemote("r"), "desk", func(o *Options) { o.MaxChangeFiles = 20; o.PullEvery = time.Hour })
		m.write(many(50, "d/f%[1]d=%[1]d")...)
		m.pass(time.Minute)
		m.commits("50 files in d/")
		if err := os.Rename(filepath.Join(m.root, "d"), filepath.Join(m.root, "e")); err != nil {
			t.Fatal(err)
		}
		m.events(watch.Event{Path: "d", Gone: true}, watch.Event{Path: "e", Dir: true})
		m.pass(time.Minute)
		m.commits("50 files in d/", "d/ renamed to e/ (50 files)")
		m.write(many(30, "e/f%d")...)
		m.write("other=new")
		m.pass(10 * time.Minute)
		s := m.state(Held)
		if !strings.Contains(s.Reason, "30 files were changed or deleted") || !strings.Contains(s.Reason, "vext autosync now") {
			t.Error(s.Reason)
		}
		if n := m.logged("held: "); n != 1 {
			t.Errorf("said %d times", n)
		}
		m.commits("50 files in d/", "d/ renamed to e/ (50 files)")
		if err := m.tree.Now(t.Context()); err != nil {
			t.Error(err)
		}
		m.state(Watching)
		m.commits("50 files in d/", "d/ renamed to e/ (50 files)", "31 files: 1 new, 30 deleted")
	})
}

func TestMaxBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, repotest.NewRemote("r"), "desk", func(o *Options) { o.MaxChangeBytes = 100; o.MaxFile = 60 })
		m.write("a="+strings.Repeat("x", 50), "b="+strings.Repeat("x", 50), "c=12", "big="+strings.Repeat("x", 70))
		m.pass(time.Minute)
		m.state(Held)
		m.write("a") // a person puts it right
		m.pass(time.Minute)
		s := m.state(Watching)
		m.commits("2 files: 2 new")
		if len(s.TooLarge) != 1 || s.TooLarge[0].Path != "big" || m.logged("not committed") != 1 {
			t.Errorf("%+v, %d", s.TooLarge, m.logged("not committed"))
		}
		m.write("big=small")
		m.pass(time.Minute)
		if s := m.state(Watching); len(s.TooLarge) != 0 {
			t.Errorf("%+v", s.TooLarge)
		}
	})
}

// A tree that is wiped, or whose repository or root is gone, is not committed.
func TestWiped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, repotest.NewRemote("r"), "desk", nil)
		m.write(many(5, "f%d=x")...)
		m.pass(time.Minute)
		m.write(many(5, "f%d")...)
		m.pass(time.Hour)
		if s := m.state(Stopped); !strings.Contains(s.Reason, "all files are gone") {
			t.Error(s.Reason)
		}
		m.commits("5 files: 5 new")
		if len(m.shown()) != 1 {
			t.Errorf("%q", m.shown())
		}
		m.write(many(5, "f%d=x")...)
		m.pass(time.Minute)
		m.state(Watching)
		m.write(many(5, "f%d")...)
		m.pass(time.Minute)
		if err := m.tree.Now(t.Context()); err != nil {
			t.Error(err)
		}
		m.commits("5 files: 5 new", "5 files: 5 deleted")
	})
}

func TestGone(t *testing.T) {
	for _, gone := range []string{"", ".fake"} {
		synctest.Test(t, func(t *testing.T) {
			m := start(t, repotest.NewRemote("r"), "desk", nil)
			m.write(many(5, "f%d=x")...)
			m.pass(time.Minute)
			path := filepath.Join(m.root, gone)
			if err := os.Rename(path, m.root+".away"); err != nil {
				t.Fatal(err)
			}
			if gone == "" {
				m.watcher.fail <- &watch.GoneError{Root: m.root, Why: "the directory does not exist any more"}
			} else {
				m.events(watch.Event{All: true})
			}
			m.pass(time.Hour)
			m.state(Stopped)
			if err := m.tree.Now(t.Context()); err == nil {
				t.Error("now does not fail")
			}
			if err := os.Rename(m.root+".away", path); err != nil {
				t.Fatal(err)
			}
			m.pass(time.Minute)
			m.state(Watching)
			m.commits("5 files: 5 new")
			m.write("f1=y")
			m.pass(time.Minute)
			m.commits("5 files: 5 new", "f1: 1 line")
		})
	}
}

// What cannot be committed does not keep the rest out, and is named once.
func TestSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, repotest.NewRemote("r"), "desk", func(o *Options) { o.Ignore = []string{"*.iso"} })
		m.fake.Refuse("secret", "permission denied")
		m.fake.Stage("mine")
		m.write("good=1", "secret=1", "mine=1", ".good.swp=1", "x.iso=1", "nested/.git/HEAD=1")
		m.events(watch.Event{Path: "nested", Dir: true})
		m.pass(time.Minute)
		m.commits("good: new, 1 line")
		s := m.state(Watching)
		if len(s.Refused) != 2 || s.Refused[0] != (RefusedFile{"nested", "a repository of its own"}) || s.Refused[1] != (RefusedFile{"secret", "permission denied"}) {
			t.Errorf("%+v", s.Refused)
		}
		if len(s.Staged) != 1 || s.Staged[0] != "mine" {
			t.Errorf("%q", s.Staged)
		}
		m.events(watch.Event{All: true})
		m.pass(time.Hour)
		m.events(watch.Event{All: true})
		m.pass(time.Hour)
		if n := m.logged("not committed"); n != 2 {
			t.Errorf("said %d times: %s", n, m.log.String())
		}
		if s := m.state(Watching); len(s.Refused) != 2 || len(s.Staged) != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// Where the version control takes no file of a commit, there is no commit.
func TestAllRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, repotest.NewRemote("r"), "desk", nil)
		m.write("a=1")
		m.pass(time.Minute)
		before := *m.state(Watching).LastCommit
		m.fake.Before("Commit", func() { m.fake.Refuse("b", "the filter failed") })
		m.write("b=1")
		m.pass(2100 * time.Millisecond)
		s := m.state(Watching)
		if s.LastCommit == nil || *s.LastCommit != before || s.Unpushed != 0 || len(s.Refused) != 1 || s.Refused[0].Path != "b" {
			t.Errorf("%+v, %+v", s, s.LastCommit)
		}
		if n := m.logged("msg=committed"); n != 1 {
			t.Errorf("said %d times: %s", n, m.log.String())
		}
	})
}

// A file that is open for writing is committed when it is closed, or after longest.
func TestOpenFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, repotest.NewRemote("r"), "desk", nil)
		m.opened("a", "b")
		m.write("a=1", "b=1", "c=1")
		m.pass(2100 * time.Millisecond)
		m.commits("c: new, 1 line")
		m.opened("b")
		m.pass(10 * time.Second)
		m.commits("c: new, 1 line", "a: new, 1 line")
		m.pass(time.Minute)
		m.commits("c: new, 1 line", "a: new, 1 line", "b: new, 1 line")
	})
}

// A file that changes without a report is not committed half written.
func TestStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, repotest.NewRemote("r"), "desk", nil)
		m.write("a=1\n", "b=1\n")
		m.pass(time.Second)
		if err := os.WriteFile(filepath.Join(m.root, "a"), []byte("1\n2\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		m.pass(1100 * time.Millisecond)
		m.commits("b: new, 1 line")
		m.pass(2 * time.Second)
		m.commits("b: new, 1 line", "a: new, 2 lines")
	})
}

// A dry run changes nothing.
func TestDryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		remote := repotest.NewRemote("r")
		var said []string
		m := start(t, remote, "desk", func(o *Options) { o.DryRun = func(text string) { said = append(said, text) } })
		m.write("a=1")
		m.pass(time.Minute)
		m.write("b=1")
		m.pass(time.Minute)
		m.commits()
		all := strings.Join(said, "\n")
		for _, want := range []string{"would commit 1 file\n  added a\n  | a: new", "would commit 1 file\n  added b", "would run fake commit"} {
			if !strings.Contains(all, want) {
				t.Errorf("no %q in %s", want, all)
			}
		}
		for _, call := range m.fake.Calls() {
			switch name, _, _ := strings.Cut(call, " "); name {
			case "Ready", "Commit", "Pull", "Push":
				t.Error(call)
			}
		}
	})
}

var _ repo.Repository = (*repotest.Fake)(nil)
