package autosync

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"vext/internal/throttle"
	"vext/source/autosync/repo"
)

// noticePause is the time between two notices on the desktop.
const noticePause = time.Minute

// lingering is how long a commit may go on after the end of Run's context, so that Run
// returns within 2 s.
const lingering = 1300 * time.Millisecond

// linger returns a context that ends a while after ctx.
func linger(ctx context.Context) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(lingering, cancel)
		context.AfterFunc(later, func() { timer.Stop() })
	})
	return later, func() { stop(); cancel() }
}

// Run keeps the tree in sync until ctx ends. Then it commits what is quiet, and returns
// within 2 s. It returns an error when the tree must be opened again.
func (t *Tree) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	late, cancel := linger(ctx)
	defer cancel()
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { t.watch(ctx) })
	group.Go(func() { t.work(ctx) })
	group.Go(func() { t.tidy(ctx) })
	group.Go(func() {
		one := func(Notice) string { return "" }
		throttle.Run(ctx, t.notices, noticePause, one, mergeNotices, func(n Notice) {
			group.Go(func() { t.guarded(func() { t.o.Notify(ctx, n) }) })
		})
	})
	t.mu.Lock()
	t.remote.pullAt = t.o.Now()
	t.mu.Unlock()
	t.guarded(func() { t.findConflicts(ctx) })
	for ctx.Err() == nil {
		next := t.step(ctx, late)
		if err := t.replaced(ctx); err != nil {
			stop()
			return err
		}
		t.wait(ctx, next)
	}
	t.finish(late)
	return nil
}

// replaced returns an error when another directory has taken the place of a tree that has
// stopped, or of its version control, and it is the same repository, or a person has had it
// look again: a disk was mounted once more, or a backup was put back.
func (t *Tree) replaced(ctx context.Context) error {
	t.mu.Lock()
	resumed, identity, head := t.resumed, t.remote.identity, t.remote.head
	t.resumed = false
	isStopped := t.commits.state == Stopped || t.syncs.state == Stopped
	t.mu.Unlock()
	if !isStopped {
		return nil
	}
	if now, err := placeOf(t.repo); err != nil || slices.EqualFunc(now, t.place, os.SameFile) {
		return nil
	}
	if !resumed && !t.isSame(ctx, identity, head) {
		return nil
	}
	return fmt.Errorf("%s: another directory is in its place", t.Root())
}

// placeOf returns which directories the root and that of the version control are.
func placeOf(r repo.Repository) ([]os.FileInfo, error) {
	dirs := append([]string{r.Root()}, r.Internal()...)
	var place []os.FileInfo
	for _, dir := range dirs[:min(2, len(dirs))] { // other internal ones come and go
		info, err := os.Stat(dir)
		if err != nil {
			return nil, err
		}
		place = append(place, info)
	}
	return place, nil
}

// isSame reports whether the repository that is there now is the one that was there.
func (t *Tree) isSame(ctx context.Context, identity, head string) (same bool) {
	t.guarded(func() {
		r, err := t.o.Repo(ctx)
		if err != nil {
			return
		}
		now, errIdentity := r.Identity(ctx)
		last, errHead := r.Head(ctx)
		same = errIdentity == nil && errHead == nil && head != "" && now == identity && last == head
	})
	return same
}

// work does the jobs.
func (t *Tree) work(ctx context.Context) {
	for {
		select {
		case job := <-t.jobs:
			t.guarded(func() { job(ctx) })
		case <-ctx.Done():
			return
		}
	}
}

// wait waits until a time, if there is one, or until the loop is woken.
func (t *Tree) wait(ctx context.Context, until time.Time) {
	var due <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(until.Sub(t.o.Now()))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
	case <-t.signal:
	case <-ctx.Done():
	}
}

// guarded calls a function, and returns an error if it panics.
func (t *Tree) guarded(do func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("internal error: %v", p)
			t.o.Log.Error("a fault in vext", "tree", t.Root(), "panic", p, "stack", string(debug.Stack()))
		}
	}()
	do()
	return nil
}

// step does what is due, and returns when the next thing is. late is the context for
// commits, which are not broken off.
func (t *Tree) step(ctx, late context.Context) (next time.Time) {
	t.mu.Lock()
	t.wakes = time.Time{}
	t.mu.Unlock()
	var nows []chan error
	err := t.guarded(func() {
		if nows = t.takeNows(); len(nows) > 0 {
			err := t.now(ctx, late)
			for _, done := range nows {
				done <- err
			}
			return
		}
		t.commitDue(late)
		t.syncDue(ctx)
		t.checkDue(ctx)
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.o.Now()
	if err != nil {
		t.setBack(&t.commits, err, now, t.o.Poll)
		for _, done := range nows {
			select {
			case done <- err:
			default:
			}
		}
	}
	t.wakes = t.next(now)
	return t.wakes
}

// next returns when the next thing is due. The caller has the lock.
func (t *Tree) next(now time.Time) time.Time {
	if t.paused {
		return time.Time{}
	}
	var next time.Time
	if t.mayBeCommitted() {
		if _, next = t.pending.take(now); !next.IsZero() {
			next = later(next, t.commits.until)
		}
	}
	if at := t.syncAt(); !at.IsZero() && t.mayBeSynced() {
		next = earlier(next, at)
	}
	return earlier(next, t.checkAt)
}

// syncAt returns when to pull and push. The caller has the lock.
func (t *Tree) syncAt() time.Time {
	at := earlier(earlier(t.remote.pullAt, t.remote.pushAt), t.remote.fetchedAt)
	if at.IsZero() {
		return at
	}
	return later(at, t.syncs.until)
}

// mayBeSynced reports whether the state of the files allows a pull. The caller has the
// lock.
func (t *Tree) mayBeSynced() bool {
	return t.commits.state != Held && t.commits.state != Stopped && t.commits.state != Busy
}

// mayBeCommitted reports whether the state of the remote allows a commit. Where both have
// stopped, the files are looked at first: their disk may be back. The caller has the lock.
func (t *Tree) mayBeCommitted() bool {
	return t.syncs.state != Stopped || t.commits.state == Stopped
}

// commitDue commits what is due.
func (t *Tree) commitDue(late context.Context) {
	t.mu.Lock()
	now := t.o.Now()
	var b *batch
	if !t.paused && !now.Before(t.commits.until) && t.mayBeCommitted() {
		b, _ = t.pending.take(now)
	}
	t.mu.Unlock()
	if b != nil {
		t.commit(late, b)
	}
}

// syncDue pulls and pushes when that is due.
func (t *Tree) syncDue(ctx context.Context) {
	t.mu.Lock()
	at := t.syncAt()
	isDue := !t.paused && t.mayBeSynced() && !at.IsZero() && !t.o.Now().Before(at)
	t.mu.Unlock()
	if isDue && ctx.Err() == nil {
		t.sync(ctx, false)
	}
}

// now commits, pulls and pushes at once.
func (t *Tree) now(ctx, late context.Context) error {
	t.mu.Lock()
	isStopped := t.syncs.state == Stopped
	t.mu.Unlock()
	if isStopped { // nothing is touched unless that is over
		if err := t.sync(ctx, true); stateOf(err) == Stopped {
			return err
		}
	}
	t.mu.Lock()
	b := &batch{at: t.o.Now(), paths: map[string]bool{whole: true}, force: true}
	for path := range t.pending.waiting {
		b.paths[path] = true
	}
	t.mu.Unlock()
	if err := t.commit(late, b); err != nil {
		return err
	}
	return t.sync(ctx, true)
}

// finish commits what is quiet.
func (t *Tree) finish(late context.Context) {
	t.mu.Lock()
	t.ended = true
	var b *batch
	if !t.paused && t.commits.state == "" && t.syncs.state != Stopped && t.o.DryRun == nil {
		b = t.pending.takeQuiet(t.o.Now())
	}
	t.mu.Unlock()
	if b != nil && len(b.paths) > 0 {
		t.guarded(func() { t.commit(late, b) })
	}
	for _, done := range t.takeNows() {
		done <- errEnded
	}
}

// doing calls a function of the repository. What changes in the repository meanwhile, and
// shortly after, is taken for its doing.
func (t *Tree) doing(do func() error) error {
	t.mu.Lock()
	t.own = t.o.Now().Add(time.Hour)
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.own = t.o.Now().Add(ownPause)
	}()
	return do()
}

// ownPause is how long the report of a change may take.
const ownPause = 100 * time.Millisecond

// setBack notes a failure, and says it once. again is as in setback.add. The caller has the
// lock.
func (t *Tree) setBack(s *setback, err error, now time.Time, again time.Duration) {
	s.add(err, now, again)
	if s == &t.commits && len(t.pending.waiting) == 0 { // only another commit ends it
		t.pending.touch(whole, now, look{}, true, true)
	}
	about := string(s.state)
	if s.state != Busy && s.state != Held && s.state != Offline {
		about += " " + s.reason
	}
	if t.said[about] {
		return
	}
	t.said[about] = true
	switch s.state {
	case Offline:
		t.o.Log.Info("offline", "tree", t.Root(), "reason", s.reason)
	case Busy:
		t.o.Log.Warn("waiting: "+s.reason, "tree", t.Root())
		t.notice(Notice{Title: t.name() + " waits", Body: s.reason})
	case Held, Stopped:
		t.o.Log.Warn(string(s.state)+": "+s.reason, "tree", t.Root())
		t.notice(Notice{Title: t.name() + " is " + string(s.state), Body: s.reason, Urgent: true, Folder: t.Root()})
	default:
		t.o.Log.Warn(s.reason, "tree", t.Root())
		t.notice(Notice{Title: t.name() + " is not in sync", Body: s.reason})
	}
}

// wentWell ends a setback. The caller has the lock.
func (t *Tree) wentWell(s *setback) {
	if s.clear() {
		t.o.Log.Info("it goes on", "tree", t.Root())
	}
	if t.commits.state == "" && t.syncs.state == "" {
		clear(t.said)
	}
}
