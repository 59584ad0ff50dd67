package watch

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"vext/internal/backoff"
)

const (
	// readPause lets the kernel merge the reports of a file that is written again and
	// again. Its queue has room for all that can happen meanwhile.
	readPause = 10 * time.Millisecond
	// Scans of everything take at most a tenth of the time, whatever asks for them.
	minCooling    = 200 * time.Millisecond
	coolingFactor = 10
)

// A run is a Run with its goroutines: it alone scans, one reads the reports of the kernel,
// one delivers the events.
type run struct {
	*Watcher
	group   sync.WaitGroup
	poll    *time.Timer
	rescan  *time.Timer
	cool    *time.Timer
	cooling bool
}

// Run watches until ctx ends, and returns its error then. It returns a *GoneError when the
// root is gone. It may be called once.
func (w *Watcher) Run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	r := &run{Watcher: w, poll: stopped(), rescan: stopped(), cool: stopped()}
	defer func() {
		cancel()
		w.mu.Lock()
		if w.notifier != nil {
			w.notifier.close()
		}
		w.mu.Unlock()
		r.group.Wait()
		close(w.events)
		for _, timer := range []*time.Timer{r.poll, r.rescan, r.cool} {
			timer.Stop()
		}
	}()
	if err := w.open(); err != nil {
		return err
	}
	r.start(func() { w.deliver(ctx) })
	if err := r.all(ctx, true); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err = <-w.failed:
		case <-w.wake:
			err = r.work(ctx)
		case <-r.cool.C:
			r.cooling = false
			err = r.work(ctx)
		case <-r.poll.C:
			err = r.pollAll(ctx)
		case <-r.rescan.C:
			err = r.all(ctx, true)
		}
		if err != nil {
			return err
		}
	}
}

// start starts a goroutine. If it panics, Run ends.
func (r *run) start(do func()) {
	r.group.Go(func() {
		defer func() {
			if value := recover(); value != nil {
				r.o.Log.Error("a fault in vext", "tree", r.root, "panic", value, "stack", string(debug.Stack()))
				r.fail(fmt.Errorf("internal error: %v", value))
			}
		}()
		do()
	})
}

func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// work does what the reports of the kernel ask for.
func (r *run) work(ctx context.Context) error {
	r.mu.Lock()
	t := r.todo
	r.todo = todo{}
	if r.cooling { // later
		r.todo = todo{rescan: t.rescan, reconsider: t.reconsider}
	}
	r.mu.Unlock()
	if (t.rescan || t.reconsider) && !r.cooling {
		if err := r.all(ctx, t.rescan); err != nil {
			return err
		}
	} else if t.internal {
		r.watchInternal()
	}
	places := t.arrivals
	r.mu.Lock()
	for _, n := range t.lost { // a directory that was removed is reported by the one above it
		if r.isIn(n) && n.wd == none {
			places = append(places, n.place(true))
		}
	}
	r.mu.Unlock()
	return r.scanThen(ctx, places, false)
}

// all scans the whole tree, and reports with report that anything may have changed.
func (r *run) all(ctx context.Context, report bool) error {
	start := r.o.Now()
	if err := r.checkRoot(); err != nil {
		return err
	}
	r.openNotifier(ctx)
	r.watchAbove()
	r.watchInternal()
	r.mu.Lock()
	r.full, r.unsure = false, false
	r.mu.Unlock()
	if err := r.scanThen(ctx, []place{{}}, true); err != nil {
		return err
	}
	if report {
		r.mu.Lock()
		r.post(Event{All: true})
		r.mu.Unlock()
	}
	took := r.o.Now().Sub(start)
	r.o.Log.Debug("scanned", "tree", r.root, "watches", r.Watched(), "took", took)
	r.rescan.Reset(r.o.Rescan)
	r.cool.Reset(max(minCooling, coolingFactor*took))
	r.cooling = true
	return nil
}

// pollAll reads what is not watched.
func (r *run) pollAll(ctx context.Context) error {
	if r.unsure {
		return r.all(ctx, false)
	}
	if err := r.checkRoot(); err != nil {
		return err
	}
	r.pollInternal()
	r.mu.Lock()
	var places []place
	for _, n := range r.polled(r.top, nil) {
		places = append(places, n.place(true))
	}
	r.full = false // the limit may be higher by now
	r.mu.Unlock()
	return r.scanThen(ctx, places, false)
}

// scanThen scans, and starts to poll what has no watch, or an unreliable one.
func (r *run) scanThen(ctx context.Context, places []place, all bool) error {
	if err := r.scan(ctx, places, all); err != nil {
		return err
	}
	if r.isComplete() {
		r.poll.Stop()
	} else {
		r.poll.Reset(r.o.Poll)
	}
	return nil
}

// openNotifier opens inotify, if that is possible by now.
func (r *run) openNotifier(ctx context.Context) {
	if r.notifier != nil {
		return
	}
	n, err := newNotifier()
	r.mu.Lock()
	r.notifier, r.reason = n, err
	r.mu.Unlock()
	if err == nil {
		r.start(func() { r.read(ctx, n) })
	}
}

// read takes the reports of the kernel as they come, so that its queue does not overflow.
func (r *run) read(ctx context.Context, n *notifier) {
	for {
		reports, more, err := n.read()
		if err != nil {
			if ctx.Err() == nil {
				r.fail(err)
			}
			return
		}
		r.mu.Lock()
		for _, report := range reports {
			r.handle(report)
		}
		isPending := r.todo.isPending()
		r.mu.Unlock()
		if isPending {
			signal(r.wake)
		}
		if !more {
			backoff.Sleep(ctx, readPause)
		}
	}
}

func (t *todo) isPending() bool {
	return len(t.arrivals)+len(t.lost) > 0 || t.rescan || t.reconsider || t.internal
}

// deliver sends the events to the reader, unless the root is gone: then they would say that
// all files were removed.
func (w *Watcher) deliver(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.out:
		}
		w.mu.Lock()
		batch := w.pending.take()
		w.mu.Unlock()
		if len(batch) == 0 {
			continue
		}
		if err := w.checkRoot(); err != nil {
			w.fail(err)
			return
		}
		select {
		case <-ctx.Done():
			return
		case w.events <- batch:
		}
	}
}
