//go:build linux

package crash

import (
	"slices"
	"testing"
)

// Times by --now.
const (
	beforeDue = "2021-01-07"
	due       = "2021-01-14"
	dayAfter  = "2021-01-15"
	afterDue  = "2021-03-15" // when everything is due
)

// inSpool is what waits to be scheduled: three commits, two of which came
// twice, and one that nobody can schedule.
var inSpool = []commit{pump, valve, flange, again, elsewhere, unclear}

// What is to become of it, as the queue and failed/ hold it in the end.
var (
	scheduled = []string{"20210113", "20210113/" + pump.id, "20210113/" + valve.id, "20210306", "20210306/" + flange.id}
	aside     = []string{unclear.id, unclear.id + ".why"}
)

// Wherever the processor dies or fails as it gives the messages their days, the
// next run puts every one of them where it belongs, and nothing else.
func TestSchedule(t *testing.T) {
	t.Parallel()
	state := spooled(t, inSpool...)
	job := &job{
		world: func(t *testing.T) *world { return newWorld(t, state, openMaildir, false) },
		args:  run(beforeDue),
		check: checkSchedule,
	}
	t.Run("rename", func(t *testing.T) { walk(t, job) })
	job.always, job.only = []string{withoutRename}, linking
	t.Run("link", func(t *testing.T) { walk(t, job) })
}

func checkSchedule(w *world, f fault, r result) {
	if f != kill && r.exit != 0 && r.exit != 1 {
		w.errorf("it ends with %d:\n%s", r.exit, r.stderr)
	}
	w.nothingIsLost()
	w.runs(beforeDue)
	w.holds("tmp")
	w.holds("spool")
	w.holds("queue", scheduled...)
	w.holds("failed", aside...)
	w.runs(afterDue)
	w.runs(farFuture())
	w.holds("tmp")
	w.holds("queue")
	w.holds("failed", aside...)
	w.isSound()
	w.wereReminded([]commit{pump, valve, flange}, 0, nil)
	w.countsSent(3)
}

// nothingIsLost checks that the messages which stand for a commit of their own
// are somewhere.
func (w *world) nothingIsLost() {
	w.t.Helper()
	all := slices.Concat(list(w.state, "spool"), list(w.state, "queue"), list(w.state, "failed"))
	for _, c := range []commit{pump, valve, flange, unclear} {
		if !slices.ContainsFunc(all, func(path string) bool { return twins.Replace(base(path)) == c.id }) {
			w.errorf("%s is lost", c.id)
		}
	}
}
