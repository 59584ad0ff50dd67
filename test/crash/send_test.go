//go:build linux

package crash

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"testing"

	"vext/internal/testkit"
)

// recording are the calls that a digest makes differently: one record for all.
var recording = []string{"write", "fsync", "renameat2", "mkdirat"}

func base(name string) string { return path.Base(name) }

// inQueue returns a state directory with three reminders that are due on two
// days, a fourth that is not, and a quarantined message.
func inQueue(t *testing.T) string {
	t.Helper()
	state := testkit.State(t)
	w := newWorld(t, spooled(t, append([]commit{gasket}, inSpool...)...), openMaildir, false)
	defer w.remove()
	w.runs(beforeDue)
	if err := copyTree(state, w.state); err != nil {
		t.Fatal(err)
	}
	return state
}

var dueCommits = []commit{pump, valve, gasket}

// Wherever the processor dies or fails as it sends, the next run ends with one
// reminder for every commit; only the one that was under way can go out again,
// where it was handed to somebody else and not yet recorded.
func TestSend(t *testing.T) {
	t.Parallel()
	for _, way := range []struct {
		name   string
		open   func(w *world) transport
		digest bool
		always []string
		only   []string
	}{
		{name: "maildir", open: openMaildir},
		{name: "maildir, digest", open: openMaildir, digest: true, only: recording},
		{name: "maildir, link", open: openMaildir, always: []string{withoutRename}, only: linking},
		{name: "sendmail", open: openSendmail},
		{name: "smtp", open: openServer},
	} {
		t.Run(way.name, func(t *testing.T) {
			state := inQueue(t)
			walk(t, &job{
				world:  func(t *testing.T) *world { return newWorld(t, state, way.open, way.digest) },
				args:   run(due),
				always: way.always,
				only:   way.only,
				check:  checkSend,
			})
		})
	}
}

func checkSend(w *world, f fault, r result) {
	if f != kill && r.exit != 0 && r.exit != 1 {
		w.errorf("it ends with %d:\n%s", r.exit, r.stderr)
	}
	w.reminders() // has come in, and is whole
	recorded := w.names("sent")
	w.runs(due)
	w.runs(dayAfter) // what a server took without an answer is not sent again at once
	w.holds("tmp")
	w.holds("spool")
	w.holds("queue", "20210306", "20210306/"+flange.id)
	w.holds("failed", aside...)
	w.isSound()
	repeats := 0
	if w.out.confirms() && (f == kill || slices.ContainsFunc(r.calls, isLostAnswer)) {
		repeats = 1
	}
	w.wereReminded(dueCommits, repeats, recorded)
	w.countsSent(len(dueCommits))
}

// isLostAnswer reports whether a call failed by which vext learns from a mail
// server, or a program, that a mail was taken. More than one call can fail in a
// run, each on a thread of its own.
func isLostAnswer(c *call) bool {
	return c.injected && (c.name == "waitid" || c.name == "read" && (c.object == "socket" || c.object == "pipe"))
}

// A disk that stays full, or bad, keeps the record of what was sent from being
// written. A reminder must not go out again with every run until somebody has
// mended that.
func TestSendUnrecorded(t *testing.T) {
	t.Parallel()
	for name, disk := range map[string]struct {
		always []string
		on     []string // of history/, which alone lies on that disk
	}{
		"full": {[]string{"write:error=ENOSPC", "mkdirat:error=ENOSPC"}, []string{"2021.jsonl", "ballast", "done/20210114"}},
		"bad":  {[]string{"write:error=EIO"}, []string{"2021.jsonl"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, inQueue(t), openServer, false)
			var on []string
			for _, path := range disk.on {
				on = append(on, "-P", filepath.Join(w.state, "history", path))
			}
			injected := false
			for range len(dueCommits) {
				r := trace(w, &job{args: run(due), always: disk.always}, "", on...)
				injected = injected || slices.ContainsFunc(r.calls, func(c *call) bool { return c.injected })
			}
			if !injected {
				t.Fatal("nothing was injected")
			}
			w.disturbed, w.left = fmt.Sprintf("%v in history/, in every run", disk.always), tree(w.root)
			w.runs(due)
			w.holds("queue", "20210306", "20210306/"+flange.id)
			w.isSound()
			w.wereReminded(dueCommits, 0, nil)
		})
	}
}

// Whatever the umask says, others of the group can read what is there; the
// crashes have no part in that.
func TestModes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, inQueue(t), openMaildir, false)
	w.disturbed = "undisturbed"
	w.runs(due)
	if r := w.exec(pump.mail(), filter(w)...); r.exit != taken {
		t.Fatalf("vext-filter ends with %d:\n%s", r.exit, r.stderr)
	}
	w.left = tree(w.root)
	w.hasModes(func(string) bool { return false })
}
