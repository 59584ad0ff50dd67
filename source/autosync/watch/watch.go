// Package watch reports which files of a directory tree may have changed. Its reports are
// hints: one may be in vain, and the version control says what has really changed. No
// change stays unreported, though it may be late.
package watch

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Options are how a tree is watched.
type Options struct {
	Root string
	// Internal returns the directories of the version control that are watched without
	// their subdirectories. The other ones below the version control's own are not watched.
	Internal func() []string
	// Skip reports whether a directory of that name (".git", ".hg") is never entered.
	Skip func(name string) bool
	// Ignored returns those of these directories, relative to Root, that are not watched.
	Ignored func(ctx context.Context, dirs []string) (map[string]bool, error)
	Poll    time.Duration     // between two scans where the system reports nothing; 0 for 30 s
	Rescan  time.Duration     // between two scans in any case; 0 for an hour
	Warn    func(text string) // shows a warning to the person; nil for the log only
	Log     *slog.Logger
	Now     func() time.Time
}

// An Event says that something may have changed.
type Event struct {
	Path     string // relative to the root, with slashes; "." for the root
	Gone     bool   // there was nothing of that name when it was looked at
	Dir      bool   // it is a directory in which anything may have changed: all in it may be new
	Internal bool   // the version control's own files have changed; Path is absolute
	All      bool   // anything may have changed; the other fields are empty
}

// A GoneError says that the root of the tree is not there, or not the same any more. That
// nothing is in it is then no change of the tree.
type GoneError struct{ Root, Why string }

func (e *GoneError) Error() string { return e.Root + ": " + e.Why }

// A Watcher watches a tree while Run runs.
type Watcher struct {
	o      Options
	root   string      // without symbolic links
	info   os.FileInfo // of the root, by which it is recognised
	events chan []Event
	wake   chan struct{} // there is something in todo
	out    chan struct{} // there is something in pending
	failed chan error
	said   map[string]bool // warnings
	unsure bool            // something has failed that may work soon
	// remote says that the file system may give the root another number at any time.
	remote atomic.Bool

	// Only Run writes these, but for the numbers of watches. The reader of reports has
	// the lock, too, so it is held while nothing is waited for but inotify_add_watch(2),
	// which looks up a path.
	mu         sync.Mutex
	notifier   *notifier // nil where everything is polled
	top        *node
	byWD       map[int32]*node
	internal   map[int32]string  // directories of the version control
	unseen     map[string]uint64 // those that are polled, and their signatures
	above      map[int32]bool    // the directories above the root
	pending    pending
	todo       todo
	full       bool  // no watch is left
	reason     error // why not everything is watched
	unreliable error // why watches do not report everything
	mode       string
}

// A todo is what the reader of reports leaves to Run.
type todo struct {
	arrivals   []place
	lost       []*node // their watches have ended
	rescan     bool    // reports were lost
	reconsider bool
	internal   bool
}

// New returns a Watcher.
func New(o Options) *Watcher {
	o.Poll, o.Rescan = cmp.Or(o.Poll, 30*time.Second), cmp.Or(o.Rescan, time.Hour)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil { // it is not known how long something takes
		o.Now = func() time.Time { return time.Time{} }
	}
	return &Watcher{
		o: o, events: make(chan []Event), wake: make(chan struct{}, 1), out: make(chan struct{}, 1), failed: make(chan error, 1),
		said: map[string]bool{}, top: &node{wd: none}, byWD: map[int32]*node{}, internal: map[int32]string{}, unseen: map[string]uint64{}, above: map[int32]bool{},
		mode: "starting",
	}
}

// Events returns the channel of events, at which batches arrive, each with one event for a
// path. The first one, All, says that from now on everything is reported. The channel is
// closed when Run returns.
func (w *Watcher) Events() <-chan []Event { return w.events }

// Mode returns how changes are found: "inotify", "polling: reason", or "inotify and
// polling: reason".
func (w *Watcher) Mode() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mode
}

// Watched returns the number of watched directories.
func (w *Watcher) Watched() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.byWD)
}

// Reconsider asks again what is ignored. Directories that are no longer ignored are
// reported.
func (w *Watcher) Reconsider() {
	w.mu.Lock()
	w.todo.reconsider = true
	w.mu.Unlock()
	signal(w.wake)
}

// signal sends to a channel that has room for one, unless that is there already.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// post adds an event to the next batch. The caller has the lock.
func (w *Watcher) post(e Event) {
	w.pending.add(e)
	signal(w.out)
}

// fail ends Run with an error; not with nil.
func (w *Watcher) fail(err error) {
	if err == nil {
		return
	}
	select {
	case w.failed <- err:
	default:
	}
}

// gone returns the error that the root is gone.
func (w *Watcher) gone(why string) error { return &GoneError{w.root, why} }

// checkRoot returns the error that the root is gone, nil if it is there.
func (w *Watcher) checkRoot() error {
	info, err := os.Lstat(w.root)
	switch {
	case isGone(err):
		return w.gone("the directory does not exist any more")
	case err != nil:
		return w.gone(plain(err).Error())
	case !info.IsDir():
		return w.gone("it is not a directory any more")
	case !w.remote.Load() && !os.SameFile(info, w.info):
		return w.gone("another directory is in its place")
	}
	return nil
}

// warnOnce warns, unless it was warned of the same thing before.
func (w *Watcher) warnOnce(about, text string) {
	if w.said[about] {
		return
	}
	w.said[about] = true
	w.o.Log.Warn(text)
	if w.o.Warn != nil {
		w.o.Warn(text)
	}
}

// open finds the root.
func (w *Watcher) open() (err error) {
	root, err := filepath.Abs(w.o.Root)
	if err != nil {
		return err
	}
	w.root = root
	if w.root, err = filepath.EvalSymlinks(root); isGone(err) {
		return &GoneError{root, "the directory does not exist"}
	} else if err != nil {
		return err
	}
	if w.info, err = os.Lstat(w.root); err != nil {
		return err
	}
	if !w.info.IsDir() {
		return fmt.Errorf("%s: not a directory", w.root)
	}
	return nil
}
