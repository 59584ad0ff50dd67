//go:build linux

package crash

import (
	"slices"
	"testing"
)

// Wherever the processor dies or fails as it writes to a committer that a trailer
// can't be understood, the next run ends with that done: once, but for a mail
// that was sent and not yet recorded.
func TestExplain(t *testing.T) {
	t.Parallel()
	state := spooled(t, unclear)
	for name, open := range map[string]func(w *world) transport{"maildir": openMaildir, "smtp": openServer} {
		t.Run(name, func(t *testing.T) {
			walk(t, &job{
				world: func(t *testing.T) *world { return explains(newWorld(t, state, open, false)) },
				args:  run(beforeDue),
				only:  recording,
				check: checkExplain,
			})
		})
	}
}

func checkExplain(w *world, f fault, r result) {
	if f != kill && r.exit != 0 && r.exit != 1 {
		w.errorf("it ends with %d:\n%s", r.exit, r.stderr)
	}
	w.reminders() // has come in, and is whole
	recorded := w.names("explained")
	w.runs(beforeDue)
	w.runs(afterDue)
	w.holds("tmp")
	w.holds("spool")
	w.holds("queue")
	w.holds("failed", aside...)
	w.isSound()
	repeats := 0
	if w.out.confirms() && (f == kill || slices.ContainsFunc(r.calls, isLostAnswer)) {
		repeats = 1
	}
	w.wereReminded([]commit{unclear}, repeats, recorded)
	w.countsSent(0)
}
