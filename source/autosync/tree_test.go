package autosync

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vext/source/autosync/peers"
	"vext/source/autosync/repo/repotest"
)

// What is written on one machine is committed, pushed, announced, and taken in by another.
func TestTwoMachines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		remote := repotest.NewRemote("r")
		a, b := start(t, remote, "desk", nil), start(t, remote, "lap", nil)
		a.announce = b.tree.Pushed
		a.write("notes/todo.md=1\n2\n")
		a.pass(1900 * time.Millisecond)
		a.commits()
		if w := a.tree.Status().Waiting; w.Number != 1 || w.Files[0] != "notes/todo.md" {
			t.Errorf("waiting %+v", w)
		}
		a.pass(200 * time.Millisecond)
		a.commits("notes/todo.md: new, 2 lines")
		if remote.Head() != "" {
			t.Error("pushed before push_after")
		}
		a.pass(5 * time.Second)
		if remote.Head() == "" || len(a.pushes) != 1 || a.pushes[0].New != remote.Head() || a.pushes[0].Host != "desk" {
			t.Errorf("head %q, announced %+v", remote.Head(), a.pushes)
		}
		b.pass(time.Second)
		b.commits("notes/todo.md: new, 2 lines")
		if len(b.shown()) != 1 || !strings.Contains(b.shown()[0], "lap: 1 commit taken in from desk") {
			t.Errorf("%q", b.shown())
		}
		s := a.state(Watching)
		if s.LastCommit == nil || s.LastCommit.Subject != "notes/todo.md: new, 2 lines" || s.LastPush.IsZero() || s.LastPull.IsZero() || s.Unpushed != 0 || s.Watch.Mode != "fake" {
			t.Errorf("%+v", s)
		}
		// The checkout at b is reported, and is no change.
		calls := b.fake.Count("Commit")
		b.write("notes/todo.md=1\n2\n")
		b.pass(time.Minute)
		if b.fake.Count("Commit") != calls || remote.Head() != a.pushes[0].New {
			t.Error("its own checkout was committed")
		}
	})
}

// At rest nothing runs but the pull from time to time.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, repotest.NewRemote("r"), "desk", nil)
		m.write("a=1")
		m.pass(time.Minute)
		before := len(m.fake.Calls())
		m.pass(9 * time.Minute)
		if calls := m.fake.Calls()[before:]; len(calls) > 0 {
			t.Errorf("at rest: %q", calls)
		}
		pulls := m.fake.Count("Pull")
		m.pass(time.Hour)
		if n := m.fake.Count("Pull") - pulls; n < 5 || n > 7 {
			t.Errorf("%d pulls in an hour", n)
		}
	})
}

// Several messages at once are one pull.
func TestPushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		remote := repotest.NewRemote("r")
		m := start(t, remote, "desk", nil)
		m.write("a=1")
		m.pass(time.Minute)
		url, _, err := m.fake.RemoteURL(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		id, err := m.fake.Identity(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			name string
			p    peers.Push
			want int
		}{
			{"of this repository", peers.Push{Repository: id, New: "1"}, 1},
			{"of another one", peers.Push{Repository: "x", Remote: url, New: "1"}, 0},
			{"of an old client", peers.Push{Remote: url + "\n"}, 1},
			{"of an old client, under another URL", peers.Push{Remote: "https://example.org/other"}, 1},
			{"some may have been missed", peers.Push{}, 1},
			{"of a commit that is here", peers.Push{Repository: id, New: remote.Head()}, 0},
			{"of another branch", peers.Push{Repository: id, New: "1", Branch: "other"}, 0},
		} {
			m.pass(time.Minute)
			before := m.fake.Count("Pull")
			for range 20 {
				m.tree.Pushed(test.p)
				m.pass(5 * time.Millisecond)
			}
			m.pass(10 * time.Second)
			if n := m.fake.Count("Pull") - before; n != test.want {
				t.Errorf("%s: %d pulls, want %d", test.name, n, test.want)
			}
		}
	})
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, repotest.NewRemote("r"), "desk", nil)
		m.pass(time.Second)
		m.tree.Pause()
		m.write("a=1")
		m.pass(time.Hour)
		m.commits()
		m.state(Paused)
		m.tree.Resume()
		m.pass(time.Second)
		m.commits("a: new, 1 line")
	})
}

func TestNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		remote := repotest.NewRemote("r")
		m := start(t, remote, "desk", nil)
		m.write("a=1")
		if err := m.tree.Now(t.Context()); err != nil {
			t.Error(err)
		}
		m.commits("a: new, 1 line")
		if remote.Head() == "" {
			t.Error("nothing was pushed")
		}
		m.stop()
		if err := m.tree.Now(t.Context()); err != errEnded {
			t.Error(err)
		}
	})
}

// The end commits what is quiet, pushes nothing, and comes soon.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		remote := repotest.NewRemote("r")
		m := start(t, remote, "desk", nil)
		m.write("a=1")
		m.pass(time.Second)
		m.write("b=1") // a waits for it
		m.pass(1500 * time.Millisecond)
		m.commits()
		begun := time.Now()
		m.stop()
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("the end took %s", took)
		}
		m.commits("a: new, 1 line")
		if remote.Head() != "" {
			t.Error("something was pushed")
		}
		m.run("desk", nil)
		m.pass(time.Minute)
		m.commits("a: new, 1 line", "b: new, 1 line")
	})
}

func TestLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, repotest.NewRemote("r"), "desk", nil)
		_, err := Open(t.Context(), m.tree.o)
		if err == nil || !strings.Contains(err.Error(), "is kept in sync by process") {
			t.Error(err)
		}
	})
}

// A watcher that waits for a file system does not keep the tree from being reached.
func TestWatcherStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, repotest.NewRemote("r"), "desk", nil)
		m.pass(time.Minute)
		m.watcher.stuck = make(chan struct{})
		m.write(".gitignore=x")
		m.tree.Woke()
		m.pass(time.Minute)
		m.state(Watching)
		m.commits(".gitignore: new, 1 line")
		close(m.watcher.stuck)
	})
}
