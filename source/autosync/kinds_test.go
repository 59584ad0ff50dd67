package autosync

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"vext/source/autosync/repo/repotest"
)

// A build that writes ignored files for a long time does not hold up an edit, nor does a
// file that is not ignored get lost among them.
func TestBuildHoldsUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, repotest.NewRemote("r"), "desk", func(o *Options) { o.Quiet = 2 * time.Second })
		m.fake.Ignore("*.o")
		m.write("src/x=1")
		m.pass(time.Minute)
		n := 0
		build := func(ticks int) {
			for range ticks {
				var files []string
				for range 20 {
					n++
					files = append(files, fmt.Sprintf("src/%d.o=x", n))
				}
				m.write(files...)
				m.pass(200 * time.Millisecond)
			}
		}
		build(20)
		m.write("src/x=2", "src/new=1")
		before := m.fake.Count("Changes")
		build(30)
		if got := m.fake.Count("Commit"); got != 2 {
			t.Errorf("%d commits while the build goes on, want 2", got)
		}
		build(100)
		if got := m.fake.Count("Changes") - before; got > 6 {
			t.Errorf("%d looks while the build went on", got)
		}
	})
}
