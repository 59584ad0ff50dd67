package autosync

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"vext/source/autosync/peers"
	"vext/source/autosync/repo"
	"vext/source/autosync/repo/repotest"
	"vext/source/autosync/watch"
)

// While a person is in the middle of something nothing is committed or pulled; that is said
// once. Afterwards it goes on by itself.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, repotest.NewRemote("r"), "desk", nil)
		m.pass(time.Second)
		m.fake.Block("Ready", &repo.BusyError{Reason: "a rebase is in progress"})
		m.write("a=1")
		m.pass(time.Hour)
		if s := m.state(Busy); s.Reason != "a rebase is in progress" || s.Waiting.Number != 1 {
			t.Errorf("%+v", s)
		}
		m.commits()
		if m.logged("a rebase is in progress") != 1 || len(m.shown()) != 1 {
			t.Errorf("%d lines, %q", m.logged("a rebase is in progress"), m.shown())
		}
		m.fake.Block("Ready", nil)
		for range 2 { // the first one may be taken for the doing of a look at that very time
			m.events(watch.Event{Internal: true, Path: m.root + "/.fake/HEAD"})
			m.pass(2 * ownPause)
		}
		m.pass(time.Second)
		m.commits("a: new, 1 line")
		m.state(Watching)

		m.fake.Block("Ready", &repo.BusyError{Reason: "index.lock"})
		m.write("a=2")
		m.pass(time.Minute)
		m.fake.Block("Ready", nil)
		m.pass(30 * time.Second) // without a report
		m.commits("a: new, 1 line", "a: 1 line")
	})
}

// A remote that was forced stops the tree. It looks again from time to time, and when a
// person says so.
func TestStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, repotest.NewRemote("r"), "desk", nil)
		m.write("a=1")
		m.pass(time.Minute)
		stopped := &repo.StoppedError{Reason: "the remote branch was forced"}
		m.fake.Block("Pull", stopped)
		m.write("b=1")
		m.pass(time.Minute)
		m.state(Stopped)
		m.write("c=1")
		m.pass(9 * time.Minute)
		if got := m.subjects(); len(got) != 2 {
			t.Errorf("commits of a stopped tree: %q", got)
		}
		m.tree.Pushed(peers.Push{New: "1"})
		pulls := m.fake.Count("Pull")
		m.pass(time.Second)
		if m.fake.Count("Pull") != pulls {
			t.Error("a stopped tree pulls on a message")
		}
		m.pass(3 * time.Hour)
		if n := m.fake.Count("Pull") - pulls; n < 10 || n > 30 {
			t.Errorf("%d pulls in 3 hours", n)
		}
		if m.logged("the remote branch was forced") != 1 {
			t.Errorf("said %d times", m.logged("the remote branch was forced"))
		}
		m.fake.Block("Pull", nil)
		m.tree.Resume()
		m.pass(time.Minute)
		m.state(Watching)
		if got := m.subjects(); len(got) != 3 {
			t.Errorf("%q", got)
		}
	})
}

// Offline, commits go on. A push is retried until it succeeds.
func TestOffline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		remote := repotest.NewRemote("r")
		m := start(t, remote, "desk", nil)
		m.fake.Block("Pull", &repo.OfflineError{Err: errors.New("no route to host")})
		m.write("a=1")
		m.pass(time.Minute)
		m.write("b=1")
		m.pass(time.Hour)
		m.commits("a: new, 1 line", "b: new, 1 line")
		s := m.state(Offline)
		if s.Reason != "no route to host" || s.NextRetry.IsZero() || s.Unpushed != 2 {
			t.Errorf("%+v", s)
		}
		if n := m.fake.Count("Pull"); n < 8 || n > 16 {
			t.Errorf("%d tries in an hour", n)
		}
		if len(m.shown()) != 0 {
			t.Errorf("%q", m.shown())
		}
		m.fake.Block("Pull", nil)
		m.tree.Woke()
		m.pass(10 * time.Millisecond)
		if remote.Head() == "" {
			t.Error("it did not push when the machine woke")
		}
		m.state(Watching)
	})
}

// A hook that fails is shown once, and tried at most 5 times in 10 minutes, whatever else
// changes.
func TestHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, repotest.NewRemote("r"), "desk", nil)
		m.pass(time.Second)
		m.fake.Block("Commit", &repo.HookError{Hook: "pre-commit", Err: errors.New("trailing blanks")})
		for range 10 {
			m.write("a=" + time.Now().String())
			m.pass(time.Minute)
		}
		if n := m.fake.Count("Commit"); n < 3 || n > 5 {
			t.Errorf("%d tries", n)
		}
		if s := m.state(Failing); s.Reason != "pre-commit: trailing blanks" || len(m.shown()) != 1 {
			t.Errorf("%+v, %q", s, m.shown())
		}
		m.fake.Block("Commit", nil)
		if err := m.tree.Now(t.Context()); err != nil {
			t.Error(err)
		}
		m.state(Watching)
	})
}

// A file that changes while a pull wants to write it is committed first.
func TestChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		remote := repotest.NewRemote("r")
		a, b := start(t, remote, "desk", nil), start(t, remote, "lap", nil)
		a.write("f=1\n")
		a.pass(time.Minute)
		b.tree.Pushed(peers.Push{})
		b.pass(time.Second)
		a.write("f=2\n")
		a.pass(time.Minute)
		b.write("f=3\n")
		b.pass(time.Second)
		b.tree.Pushed(peers.Push{})
		b.pass(time.Minute)
		s := b.state(Watching)
		if !b.fake.Contains("3\n") || !b.fake.Contains("2\n") || len(s.Errors) > 0 || s.Unpushed != 0 {
			t.Errorf("%+v", s)
		}
		urgent := false
		for _, n := range b.notices {
			urgent = urgent || n.Urgent && n.Folder == b.root
		}
		if !urgent {
			t.Errorf("%+v", b.notices)
		}
	})
}

// A push that comes too late is repeated after a pull, at once.
func TestBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		remote := repotest.NewRemote("r")
		m := start(t, remote, "desk", nil)
		m.fake.Fail("Push", repo.ErrBehind, repo.ErrBehind)
		m.write("a=1")
		m.pass(10 * time.Second)
		if remote.Head() == "" {
			t.Error("not pushed")
		}
		m.fake.Block("Push", repo.ErrBehind)
		m.write("a=2")
		m.pass(10 * time.Minute)
		if n := m.fake.Count("Push"); n > 50 {
			t.Errorf("%d pushes", n)
		}
		m.state(Failing)
	})
}

// A fault in one part is an error of the tree, which goes on.
func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, repotest.NewRemote("r"), "desk", nil)
		m.pass(time.Second)
		m.fake.Before("Changes", func() { panic("oops") })
		m.write("a=1")
		m.pass(3 * time.Second)
		m.state(Failing)
		m.pass(time.Minute)
		m.state(Watching)
		m.commits("a: new, 1 line")
	})
}

// A watcher that ends is started again; meanwhile the tree is looked at from time to time.
func TestWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, repotest.NewRemote("r"), "desk", nil)
		m.pass(time.Minute)
		m.watcher.fail <- errors.New("too many open files")
		synctest.Wait()
		if s := m.state(Failing); s.Reason != "too many open files" {
			t.Error(s.Reason)
		}
		m.pass(time.Minute)
		m.state(Watching)
		m.write("a=1")
		m.pass(time.Minute)
		m.commits("a: new, 1 line")
	})
}

// What is reported in vain again and again waits longer and longer, and holds up nothing.
func TestVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, repotest.NewRemote("r"), "desk", nil)
		m.fake.Ignore("*.o")
		m.pass(time.Minute)
		before := m.fake.Count("Changes")
		for range 100 {
			m.write("x.o=1")
			m.pass(6 * time.Second)
		}
		if n := m.fake.Count("Changes") - before; n > 35 {
			t.Errorf("%d looks in 10 minutes", n)
		}
		m.write("x.o=1", "a=1")
		m.pass(2100 * time.Millisecond)
		m.commits("a: new, 1 line")
	})
}

// What a person commits is pushed, and the many reports of it cause few looks.
func TestByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		remote := repotest.NewRemote("r")
		m := start(t, remote, "desk", nil)
		m.write("a=1")
		m.pass(time.Minute)
		before := remote.Head()
		m.write("b=1")
		changes, err := m.fake.Changes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.fake.Commit(t.Context(), changes, m.tree.writer.write); err != nil {
			t.Fatal(err)
		}
		m.events(watch.Event{Internal: true, Path: m.root + "/.fake/HEAD"})
		m.pass(10 * time.Second)
		if remote.Head() == before {
			t.Error("not pushed")
		}
		heads := m.fake.Count("Head")
		for range 3000 { // somebody runs git in a loop
			m.events(watch.Event{Internal: true, Path: m.root + "/.fake/index"})
			m.pass(200 * time.Millisecond)
		}
		if n := m.fake.Count("Head") - heads; n > 30 {
			t.Errorf("%d looks in 10 minutes", n)
		}
	})
}

// A push that is reported while another one is pulled is pulled, too.
func TestPushedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		remote := repotest.NewRemote("r")
		a, b := start(t, remote, "desk", nil), start(t, remote, "lap", nil)
		a.write("a=1")
		a.pass(time.Minute)
		for _, p := range []peers.Push{{}, {New: "1"}} {
			before := b.fake.Count("Pull")
			b.fake.Before("Head", func() { b.tree.Pushed(p) }) // the last step of a sync, after the pull
			b.tree.Pushed(peers.Push{New: "2"})
			b.pass(10 * time.Second)
			if n := b.fake.Count("Pull") - before; n != 2 {
				t.Errorf("%+v: %d pulls", p, n)
			}
		}
	})
}

// A tree in which nothing waits goes on by itself when Now has failed.
func TestNowFails(t *testing.T) {
	for _, err := range []error{&repo.BusyError{Reason: "a merge is in progress"}, &repo.StoppedError{Reason: "its disk is away"}, errors.New("oops")} {
		synctest.Test(t, func(t *testing.T) {
			m := start(t, repotest.NewRemote("r"), "desk", nil)
			m.write("a=1")
			m.pass(time.Minute)
			m.fake.Fail("Ready", err)
			if m.tree.Now(t.Context()) == nil {
				t.Fatal("no error")
			}
			m.pass(2 * time.Minute)
			m.state(Watching)
		})
	}
}
