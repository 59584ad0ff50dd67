package autosync

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"time"

	"vext/source/autosync/repo"
	"vext/source/autosync/watch"
)

// A watcher is a *watch.Watcher.
type watcher interface {
	Run(ctx context.Context) error
	Events() <-chan []watch.Event
	Mode() string
	Watched() int
	Reconsider()
}

// watch runs watchers, one after the other, until ctx ends. Without one, the tree is looked
// at from time to time.
func (t *Tree) watch(ctx context.Context) {
	for ctx.Err() == nil {
		var err error
		if fault := t.guarded(func() { err = t.watchOnce(ctx) }); fault != nil {
			err = fault
		}
		if ctx.Err() != nil {
			return
		}
		var gone *watch.GoneError
		if errors.As(err, &gone) {
			err = &repo.StoppedError{Reason: gone.Error()}
		}
		if err == nil {
			err = errors.New("the watch has ended")
		}
		t.mu.Lock()
		now := t.o.Now()
		t.setBack(&t.watches, err, now, t.o.Poll)
		t.touch(whole, now, look{}, true, true)
		t.mu.Unlock()
		select {
		case <-time.After(t.o.Poll):
		case <-ctx.Done():
		}
	}
}

// watchOnce runs a watcher until it fails.
func (t *Tree) watchOnce(ctx context.Context) error {
	w := t.makes(watch.Options{
		Root:     t.Root(),
		Internal: t.repo.Internal,
		Skip:     func(name string) bool { return slices.Contains(vcsDirs, name) },
		Ignored:  t.ignored,
		Poll:     t.o.Poll, Rescan: t.o.Rescan,
		Warn: func(text string) { t.notice(Notice{Title: t.name(), Body: text}) },
		Log:  t.o.Log, Now: t.o.Now,
	})
	t.mu.Lock()
	t.watcher = w
	t.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for events := range w.Events() {
			t.report(ctx, w, events)
		}
	}()
	err := w.Run(ctx)
	<-done
	return err
}

// vcsDirs are the names of the directories of version controls.
var vcsDirs = []string{".git", ".hg", ".svn", ".bzr", ".jj", ".pijul", ".fossil-settings", "_darcs"}

// ignored returns which directories are not watched.
func (t *Tree) ignored(ctx context.Context, dirs []string) (map[string]bool, error) {
	ignored, err := t.repo.Ignored(ctx, dirs)
	if err != nil {
		return nil, err
	}
	if ignored == nil {
		ignored = map[string]bool{}
	}
	for _, dir := range dirs {
		if t.rules.ignore.Match(dir, true) {
			ignored[dir] = true
		}
	}
	return ignored, nil
}

// report notes what the watcher has seen.
func (t *Tree) report(ctx context.Context, w watcher, events []watch.Event) {
	now := t.o.Now()
	t.learnKinds(ctx, events, now)
	looks := make([]seen, len(events))
	for i, e := range events {
		if !e.All && !e.Internal {
			l, exists := lookAt(t.Root(), e.Path)
			looks[i] = seen{l, exists}
		}
	}
	if t.note(events, looks, now) {
		w.Reconsider() // without the lock: a watcher may wait for the file system
	}
}

// note notes events, and reports whether what is ignored may have changed.
func (t *Tree) note(events []watch.Event, looks []seen, now time.Time) (ignores bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, e := range events {
		switch {
		case e.All:
			t.sawAll(now)
		case e.Internal:
			t.sawInternal(now)
		case t.rules.ignore.Match(e.Path, looks[i].look.mode.IsDir()):
		case !e.Dir && t.kinds.isIgnored(e.Path, now):
			t.touch(path.Dir(e.Path), now, look{mode: fs.ModeDir}, true, true)
		default:
			t.touch(e.Path, now, looks[i].look, looks[i].exists, IsTemporary(e.Path))
			if now.Before(t.committing) {
				t.pending.touchedByCommit(e.Path)
			}
			if slices.Contains(ignoreFiles, path.Base(e.Path)) {
				ignores = true
				clear(t.kinds.ignored)
			}
		}
	}
	return ignores
}

// ignoreFiles are the names of files that say what is ignored.
var ignoreFiles = []string{".gitignore", ".hgignore"}

// touch notes that a path has changed, and wakes the loop if it would sleep for too long.
// The caller has the lock.
func (t *Tree) touch(path string, now time.Time, l look, exists, minor bool) {
	t.pending.touch(path, now, l, exists, minor)
	if t.commits.state == Held { // a person may have put it right
		t.commits.until = earlier(t.commits.until, now.Add(max(t.o.Quiet, heldPause)))
	}
	if t.wakes.IsZero() || t.wakes.After(now.Add(t.o.Quiet)) {
		t.wakes = now.Add(t.o.Quiet)
		t.wake()
	}
}

// heldPause is the time between two looks at a tree in which too much has changed.
const heldPause = 10 * time.Second

// sawAll notes that anything may have changed: when a watch begins, and from time to time. The
// caller has the lock.
func (t *Tree) sawAll(now time.Time) {
	if t.watches.clear() {
		t.commits.wake(now, Stopped)
		t.syncs.wake(now, Stopped)
		t.remote.pullAt = earlier(t.remote.pullAt, now)
	}
	t.pending.touchWhole(now)
	t.wake()
}

// sawInternal notes that something has changed in the repository, which a person may have
// done. The caller has the lock.
func (t *Tree) sawInternal(now time.Time) {
	if now.Before(t.own) {
		return
	}
	soon := now.Add(internalPause)
	t.commits.wake(soon, Busy, Stopped)
	t.syncs.wake(soon, Busy, Stopped)
	if t.checkAt.IsZero() {
		t.checkAt = now.Add(min(t.o.Quiet<<min(t.checks, 10), time.Minute))
	}
	t.wake()
}

// internalPause is for a program of a person to finish what it does.
const internalPause = 300 * time.Millisecond

// checkDue looks what a person has done in the repository.
func (t *Tree) checkDue(ctx context.Context) {
	t.mu.Lock()
	isDue := !t.paused && !t.checkAt.IsZero() && !t.o.Now().Before(t.checkAt)
	t.mu.Unlock()
	if !isDue {
		return
	}
	t.mu.Lock()
	t.checks++ // look sets it to 0 when there is something new
	unfinished := t.unfinished
	t.mu.Unlock()
	err := t.doing(func() error {
		if unfinished {
			unfinished = t.repo.Ready(ctx) != nil
		}
		return t.look(ctx)
	})
	t.describe(ctx)
	staged := t.lookAtStaged()
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.o.Now()
	t.checkAt, t.unfinished = time.Time{}, unfinished
	if unfinished {
		t.checkAt = now.Add(repairPause)
	}
	if err != nil {
		t.o.Log.Debug("the repository cannot be looked at", "tree", t.Root(), "error", err)
		return
	}
	for path, s := range staged { // that it is staged may be over
		t.touch(path, now, s.look, s.exists, true)
	}
}

// A seen is what was at a path when it was looked at.
type seen struct {
	look   look
	exists bool
}

// lookAtStaged looks at the files that a person has staged.
func (t *Tree) lookAtStaged() map[string]seen {
	all := map[string]seen{}
	t.mu.Lock()
	for path, s := range t.skipped {
		if s.kind == skipStaged {
			all[path] = seen{}
		}
	}
	t.mu.Unlock()
	for path := range all { // without the lock: the file system may not answer
		l, exists := lookAt(t.Root(), path)
		all[path] = seen{l, exists}
	}
	return all
}

// repairPause is the time between two attempts to repair what a lock has prevented.
const repairPause = 2 * time.Second

// absolute returns where a file of the tree is.
func (t *Tree) absolute(path string) string {
	return filepath.Join(t.Root(), filepath.FromSlash(path))
}
