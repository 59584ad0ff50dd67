//go:build linux

package crash

import (
	"fmt"
	"sync"
	"testing"
)

// Two processors at once send every reminder once, and both end well.
func TestTwoRuns(t *testing.T) {
	t.Parallel()
	state := inQueue(t)
	for range 5 {
		w := newWorld(t, state, openServer, false)
		w.disturbed = "two runs at once"
		w.atOnce(2, func(int) { w.runs(due) })
		w.left = tree(w.root)
		w.holds("queue", "20210306", "20210306/"+flange.id)
		w.holds("failed", aside...)
		w.isSound()
		w.wereReminded(dueCommits, 0, nil)
		w.countsSent(len(dueCommits))
		w.remove()
	}
}

// atOnce calls f n times at once.
func (w *world) atOnce(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

// A hundred mails come in, half of them the same one, as two processors work:
// every commit is reminded of once.
func TestHundredFilters(t *testing.T) {
	t.Parallel()
	const filters = 100
	w := newWorld(t, "", openServer, false)
	w.disturbed = "a hundred filters and two runs at once"
	commits := []commit{pump}
	for i := range filters / 2 {
		c := pump
		c.id, c.hash = fmt.Sprintf("202101070631.%d@git.example.org", i), fmt.Sprintf("%04x", 0xf000+i)
		commits = append(commits, c)
	}
	done := make(chan struct{})
	var runs sync.WaitGroup
	for range 2 {
		runs.Go(func() {
			for {
				w.runs(due)
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	w.atOnce(filters, func(i int) {
		c := commits[max(0, i-filters/2+1)] // the first fifty are pump
		if r := w.exec(c.mail(), filter(w)...); r.exit != taken {
			w.errorf("vext-filter ends with %d:\n%s", r.exit, r.stderr)
		}
	})
	close(done)
	runs.Wait()
	w.left = tree(w.root)
	w.runs(due)
	w.runs(farFuture())
	for _, dir := range []string{"tmp", "spool", "queue", "failed"} {
		w.holds(dir)
	}
	w.isSound()
	w.wereReminded(commits, 0, w.names("sent"))
	w.countsSent(len(commits))
}
