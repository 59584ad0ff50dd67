//go:build linux

package crash

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	ingest "vext/filter"
	"vext/internal/testkit"
	"vext/spool"
)

// The filter's exit statuses.
const (
	taken    = 0
	tryAgain = 75
)

// filterJob is the filter on a mail that asks for a reminder, in the state
// directory that state is a copy of.
func filterJob(state string, always ...string) *job {
	return &job{
		world:    func(t *testing.T) *world { return newWorld(t, state, openMaildir, false) },
		args:     filter,
		stdin:    pump.mail(),
		always:   always,
		thorough: true,
		check:    checkFilter,
	}
}

// Wherever the filter dies or fails, the mail server keeps the mail or the
// spool has it, whole; and trying again brings it into the spool, once.
func TestFilter(t *testing.T) {
	t.Parallel()
	t.Run("first mail", func(t *testing.T) { walk(t, filterJob("")) })
	t.Run("a later mail", func(t *testing.T) { walk(t, filterJob(spooled(t, valve))) })
	t.Run("the same mail", func(t *testing.T) { walk(t, filterJob(spooled(t, pump))) })
}

// The same where the system has no rename that never replaces: the message has
// two names between link and unlink.
func TestFilterLinks(t *testing.T) {
	t.Parallel()
	job := filterJob(spooled(t, valve), withoutRename)
	job.only = linking
	walk(t, job)
}

// The same where the disk is full, and what was begun is cleared away.
func TestFilterClearsUp(t *testing.T) {
	t.Parallel()
	job := filterJob(spooled(t, valve), "write:"+string(noSpace))
	for _, f := range []fault{kill, ioError} {
		w := job.world(t)
		r := trace(w, job, "unlinkat:"+string(f))
		if r.at == "" {
			t.Fatalf("%s was not injected into unlinkat", f)
		}
		w.disturbed, w.left = "ENOSPC, then "+string(f)+" at unlinkat", tree(w.root)
		checkFilter(w, f, r)
	}
}

// withoutRename makes vext think that it runs on a file system without
// renameat2(2).
const withoutRename = "renameat2:error=EINVAL"

// linking are the calls that take its place.
var linking = []string{"linkat", "unlinkat"}

// spooled returns a state directory with the mails of commits in its spool.
func spooled(t *testing.T, commits ...commit) string {
	t.Helper()
	state := testkit.State(t)
	w := newWorld(t, "", openMaildir, false)
	defer w.remove()
	w.state = state
	for _, c := range commits {
		if r := w.exec(c.mail(), filter(w)...); r.exit != taken {
			t.Fatalf("vext-filter ends with %d:\n%s", r.exit, r.stderr)
		}
	}
	return state
}

func checkFilter(w *world, f fault, r result) {
	if f != kill && r.exit != taken && r.exit != tryAgain {
		w.errorf("it ends with %d:\n%s", r.exit, r.stderr)
	}
	w.spoolIsWhole(f != kill && r.exit == taken)
	if again := w.exec(pump.mail(), filter(w)...); again.exit != taken {
		w.errorf("retried, it ends with %d:\n%s", again.exit, again.stderr)
	}
	w.spoolIsWhole(true)
	w.runs(farFuture())
	w.holds("tmp")
	w.holds("spool")
	w.holds("queue")
	w.holds("failed")
	w.isSound()
	w.wereReminded([]commit{pump}, 0, nil)
}

// spoolIsWhole checks that whatever has a name in the spool is a whole
// message, and whether the mail is there.
func (w *world) spoolIsWhole(must bool) {
	w.t.Helper()
	want := map[string][]byte{pump.id: pump.mail(), valve.id: valve.mail()}
	for _, name := range list(w.state, "spool") {
		data, err := os.ReadFile(filepath.Join(w.state, "spool", name))
		if err != nil || !bytes.Equal(data, want[name]) {
			w.errorf("spool/%s is not what was sent: %v: %q", name, err, data)
		}
		must = must && name != pump.id
	}
	if must {
		w.errorf("the mail is not in the spool")
	}
}

// The same while commits are announced: the request and the announcement are stored
// together, and both are there when the mail was accepted.
func TestFilterAnnounces(t *testing.T) {
	t.Parallel()
	state := spooled(t, valve)
	if err := spool.New(state).StartAnnouncing(); err != nil {
		t.Fatal(err)
	}
	job := filterJob(state)
	job.thorough = false
	job.check = func(w *world, f fault, r result) {
		if f != kill && r.exit == taken && w.announced() == 0 {
			w.errorf("it is not announced")
		}
		if again := w.exec(pump.mail(), filter(w)...); again.exit != taken {
			w.errorf("retried, it ends with %d:\n%s", again.exit, again.stderr)
		}
		if n := w.announced(); n < 1 || n > 2 { // announce knows the second as the first
			w.errorf("it is announced %d times", n)
		}
		if err := spool.New(w.state).StopAnnouncing(); err != nil {
			w.errorf("%v", err)
		}
		checkFilter(w, f, r)
	}
	walk(t, job)
}

// announced returns how many announcements are in the spool. Each must be whole.
func (w *world) announced() int {
	w.t.Helper()
	paths, err := spool.New(w.state).Announcements()
	for _, path := range paths {
		data, readErr := os.ReadFile(path)
		commits, parseErr := ingest.ParseArrivals(data)
		if err = errors.Join(err, readErr, parseErr); err != nil || len(commits) != 1 {
			w.errorf("%s: %d commits, %v", path, len(commits), err)
		}
	}
	return len(paths)
}
