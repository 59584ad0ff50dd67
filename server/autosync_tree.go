package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"vext/internal/backoff"
	"vext/internal/calendar"
	"vext/internal/config"
	"vext/source/autosync"
	"vext/source/autosync/peers"
)

// retries are the pauses after failures in a row.
type retries struct{ backoff.Backoff }

// autosyncRetry is between two attempts to open a tree, or to run a link that has ended.
var autosyncRetry = retries{backoff.Backoff{Min: 2 * time.Second, Max: 5 * time.Minute}}

func (r retries) after(failures int) time.Duration {
	return backoff.Jitter(r.After(failures), rand.Float64)
}

func (r retries) sleep(ctx context.Context, failures int) { backoff.Sleep(ctx, r.after(failures)) }

// A keptTree is a tree of the configuration, which is opened again when it could not be, or
// has ended: a disk may be mounted later.
type keptTree struct {
	table config.Autosync
	o     *AutosyncOptions
	links []*sharedLink // that the table asks for
	again chan struct{} // has one element when the next attempt must not wait
	// opening gets what came of an attempt to open it that has not ended yet; nil for none.
	opening chan error

	account *account // for notices on XMPP, nil for none

	mu     sync.Mutex
	tree   *autosync.Tree // nil while it is not open
	err    error          // why
	retry  time.Time      // when it is retried
	paused bool
}

func (t *keptTree) open(ctx context.Context) error {
	o := treeOptions(&t.table, t.o)
	o.Announce = t.announce
	if t.o.DryRun == nil && (*t.table.Notify || len(t.table.AlsoNotify) > 0) {
		o.Notify = t.notify
	}
	tree, err := autosync.Open(ctx, o)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err = err; err == nil {
		t.tree = tree
		if t.paused {
			tree.Pause()
		}
	}
	return err
}

// slow notes that an attempt to open the tree has not ended in time.
func (t *keptTree) slow() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tree != nil || t.err != nil {
		return
	}
	t.err = fmt.Errorf("%s: its file system does not answer", t.table.Path)
	t.o.Log.Warn("not yet kept in sync", "tree", t.table.Path, "error", t.err)
}

// run keeps the tree in sync until ctx ends.
func (t *keptTree) run(ctx context.Context) error {
	if t.opening != nil {
		select {
		case <-t.opening:
		case <-ctx.Done():
			return nil
		}
	}
	for failures := 0; ctx.Err() == nil; {
		err := t.err
		if t.opened() == nil {
			err = t.open(ctx)
		}
		if tree := t.opened(); tree != nil {
			err = t.keep(ctx, tree)
			failures = 0
		}
		if ctx.Err() != nil {
			return nil
		}
		failures++
		t.wait(ctx, failures, err)
	}
	return nil
}

// keep runs an open tree, and closes it.
func (t *keptTree) keep(ctx context.Context, tree *autosync.Tree) error {
	said, cancel := context.WithCancel(ctx)
	var task sync.WaitGroup
	if t.o.DryRun == nil {
		task.Go(func() { t.sayStarted(said, tree) })
	}
	err := tree.Run(ctx)
	cancel()
	task.Wait()
	return errors.Join(err, t.close(tree, err))
}

// sayStarted logs how a tree is kept in sync, once it is.
func (t *keptTree) sayStarted(ctx context.Context, tree *autosync.Tree) {
	for n := 0; backoff.Sleep(ctx, showPause) == nil; n++ {
		s := tree.Status()
		if s.State == autosync.Starting || s.Remote == "" && n < 20 { // the remote is looked for later
			continue
		}
		words := "kept in sync"
		if s.Branch != "" {
			words += ", branch " + s.Branch
		}
		words += " with " + cmp.Or(s.Remote, "no remote")
		if s.Watch.Mode != "" {
			words += fmt.Sprintf(", watched by %s, %s", s.Watch.Mode, calendar.Verb(s.Watch.Directories, "directory", "directories"))
		}
		t.o.Log.Info(words, "tree", tree.Root())
		return
	}
}

// opened returns the tree while it is open.
func (t *keptTree) opened() *autosync.Tree {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tree
}

func (t *keptTree) close(tree *autosync.Tree, err error) error {
	t.mu.Lock()
	t.tree, t.err = nil, err
	t.mu.Unlock()
	return tree.Close()
}

// wait waits until the tree is opened again.
func (t *keptTree) wait(ctx context.Context, failures int, err error) {
	pause := autosyncRetry.after(failures)
	t.mu.Lock()
	t.err, t.retry = err, t.o.Now().Add(pause)
	t.mu.Unlock()
	t.o.Log.Warn("not kept in sync; it is retried", "tree", t.table.Path, "error", err, "after", pause.Round(time.Second))
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.again:
	case <-ctx.Done():
	}
}

// Root implements control.Tree.
func (t *keptTree) Root() string {
	if tree := t.opened(); tree != nil {
		return tree.Root()
	}
	return t.table.Path
}

// Status implements control.Tree.
func (t *keptTree) Status() autosync.Status {
	var s autosync.Status
	if tree := t.opened(); tree != nil {
		s = tree.Status()
	} else {
		t.mu.Lock()
		s = autosync.NewStatus(t.table.Path, autosync.Failing, "")
		s.VCS, s.NextRetry = t.table.VCS, t.retry
		if t.err != nil {
			s.Reason = t.err.Error()
		}
		t.mu.Unlock()
	}
	s.Links = []peers.Status{}
	for _, l := range t.links {
		s.Links = append(s.Links, l.link.Status())
	}
	return s
}

// Pause implements control.Tree.
func (t *keptTree) Pause() { t.setPaused(true) }

// Resume implements control.Tree. A tree that could not be opened is tried at once.
func (t *keptTree) Resume() {
	t.setPaused(false)
	select {
	case t.again <- struct{}{}:
	default:
	}
}

func (t *keptTree) setPaused(paused bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.paused = paused
	switch {
	case t.tree == nil:
	case paused:
		t.tree.Pause()
	default:
		t.tree.Resume()
	}
}

// Now implements control.Tree.
func (t *keptTree) Now(ctx context.Context) error {
	if tree := t.opened(); tree != nil {
		return tree.Now(ctx)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// pushed notifies the tree of a push of another machine.
func (t *keptTree) pushed(p peers.Push) {
	if tree := t.opened(); tree != nil {
		tree.Pushed(p)
	}
}
