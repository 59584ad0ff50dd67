package remote

import (
	"os"
	"strconv"
	"testing"
	"time"

	"vext/internal/testkit/remotedaemon"
)

// After many random pushes, cuts and pauses the clone has what the server has, and nearly
// no fetch was in vain. VEXT_TEST_PUSHES is their number, VEXT_TEST_SEED repeats a run.
func TestRandomPushes(t *testing.T) {
	n := number("VEXT_TEST_PUSHES", 34)
	eachFar(t, func(t *testing.T, w *remotedaemon.World) {
		seed := uint64(number("VEXT_TEST_SEED", int(time.Now().UnixNano())))
		t.Log("seed", seed)
		w.InLocal("git config remote.origin.prune true")
		w.CountFetches()
		d := w.Start(remotedaemon.Vext(t))
		d.Connected()
		r := w.Random(seed)
		r.Deletes, r.Pause = true, d.Paused
		if w.SSH != nil {
			r.Cut = w.SSH.Cut
		}
		for range n {
			r.Step()
		}
		w.Push("git checkout -q --detach refs/remotes/origin/main")
		w.Commit("main") // git-annex reports no deletion, but this
		w.Equal()
		fetched(d)
		if t.Failed() {
			t.Logf("%q", r.Names)
		}
		all, vain := w.Fetches()
		t.Logf("%d fetches, %d in vain", all, vain)
		if vain > max(1, all/100) {
			t.Errorf("%d of %d fetches in vain", vain, all)
		}
		d.Stop()
	})
}

// number returns the value of a variable, or n.
func number(name string, n int) int {
	if value, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return value
	}
	return n
}
