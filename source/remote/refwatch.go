package remote

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"

	"vext/internal/watchable"
	"vext/source/hook"
)

// A refWatch reports that refs of a repository on this machine may have changed. It has
// inotify watch the few places where git has refs. Events can be lost, so it also compares
// a signature of these places: rarely as a check, and every few seconds where inotify
// watches only a part of them, or nothing.
type refWatch struct {
	dir  gitDir
	warn func(string) // gets once the reason why inotify does not watch everything
	// isPolled says that inotify does not watch everything.
	isPolled atomic.Bool

	watcher *fsnotify.Watcher // nil without inotify
	// unreliable is the reason why inotify does not report everything; nil for none.
	unreliable error
	roots      map[string]bool // watched directories in which only the names of rootNames count
	rescan     bool            // a directory may have come without an event
	warned     bool
	burst      burst
	// How long it waits between two checks; 0 for the constants below.
	checkPause, pollPause time.Duration

	last  signature
	doubt bool // last was different from the one before: the next change may look the same
}

// Pauses between two checks.
const (
	checkPause = 15 * time.Second // everything is watched
	pollPause  = 2 * time.Second
	// filePause is added for each file, so that the checks take less than 1 % of a CPU.
	filePause = 400 * time.Microsecond
)

// rootNames are the files and directories in a git directory that have refs, and the file
// that a hook writes when they change.
var rootNames = map[string]bool{"HEAD": true, "packed-refs": true, "refs": true, "reftable": true, hook.ChangesFile: true}

// run calls ready when changes are reported, then changed after each change, or several.
// Neither may block. It returns when ctx ends, or when the repository was removed.
func (w *refWatch) run(ctx context.Context, ready, changed func()) (err error) {
	if w.last.common, err = os.Stat(w.dir.common); err != nil { // first, so that nothing replaces it unseen
		return err
	}
	events, lost, end := w.start()
	defer end()
	w.burst = newBurst()
	defer w.burst.end()
	check := time.NewTimer(w.pause())
	defer check.Stop()
	ready()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case event := <-events:
			err = w.handle(event)
		case <-lost:
			w.rescan = true
			w.burst.add()
		case <-w.burst.quiet.C:
			w.fire(changed)
		case <-w.burst.bound.C:
			w.fire(changed)
		case <-check.C:
			err = w.check(changed)
			check.Reset(w.pause())
		}
		if err != nil {
			return err
		}
	}
}

// start watches everything, or says why it cannot. Events arrive at the first channel; the
// second says that some were lost.
func (w *refWatch) start() (events <-chan fsnotify.Event, lost <-chan struct{}, end func()) {
	if w.unreliable = watchable.Unreliable(w.dir.common); w.unreliable != nil && !watchable.Supported {
		w.watched(nil)
		return nil, nil, func() {}
	}
	watcher, err := fsnotify.NewBufferedWatcher(256)
	if err != nil {
		w.watched(err)
		return nil, nil, func() {}
	}
	losses := make(chan struct{}, 1)
	ended := make(chan struct{})
	go func() { // the watcher may report an error while Add waits for it
		defer close(ended)
		for range watcher.Errors {
			signal(losses)
		}
	}()
	w.watcher = watcher
	w.watched(w.watchAll())
	return watcher.Events, losses, func() { watcher.Close(); <-ended }
}

// watched notes whether inotify watches everything. What it reports is used in any case: a
// network file system reports at least what this machine changes.
func (w *refWatch) watched(err error) {
	if err == nil {
		err = w.unreliable
	}
	w.isPolled.Store(err != nil)
	if err != nil && !w.warned {
		w.warned = true
		w.warn(whyNotWatched(w.dir.common, err))
	}
}

// whyNotWatched says why a directory is not watched, and what to do.
func whyNotWatched(dir string, err error) string {
	text := fmt.Sprintf("%s: the refs are read every few seconds: %v", dir, err)
	if hint := watchable.Hint(err, 0); hint != "" {
		return text + "; " + hint
	}
	return text
}

// watchAll watches all places where refs are. It may be called again.
func (w *refWatch) watchAll() error {
	w.roots = map[string]bool{}
	for _, dir := range w.dir.places() {
		w.roots[dir] = true
		if err := w.watcher.Add(dir); err != nil {
			return err
		}
	}
	return w.dir.walk(w.add)
}

// add watches a directory, unless it has disappeared.
func (w *refWatch) add(path string, isDir bool) error {
	if !isDir {
		return nil
	}
	err := w.watcher.Add(path)
	if isGone(err) {
		return nil
	}
	return err
}

// handle takes one event. The error is that the repository is gone.
func (w *refWatch) handle(event fsnotify.Event) error {
	if w.roots[event.Name] {
		if event.Has(fsnotify.Remove) || event.Has(fsnotify.Rename) {
			return goneError(event.Name)
		}
		return nil
	}
	isRoot := w.roots[filepath.Dir(event.Name)]
	switch {
	case event.Op == fsnotify.Chmod, strings.HasSuffix(event.Name, ".lock"):
		return nil
	case isRoot && !rootNames[filepath.Base(event.Name)]:
		return nil
	case event.Has(fsnotify.Rename): // perhaps of a directory
		w.rescan = true
	case event.Has(fsnotify.Create):
		w.arrived(event.Name)
	}
	w.burst.add()
	return nil
}

// arrived watches what has come, if it is a directory. Directories and refs may have been
// made in it before.
func (w *refWatch) arrived(path string) {
	if err := walkTree(path, w.add); err != nil {
		w.watched(err)
	}
}

// fire ends a burst of events.
func (w *refWatch) fire(changed func()) {
	w.burst.end()
	if w.rescan && w.watcher != nil {
		w.rescan = false
		w.watched(w.watchAll())
	}
	changed()
}

// check compares the signature with the last one. It does not matter whether events have
// reported the difference: another look costs little.
func (w *refWatch) check(changed func()) error {
	now, err := w.sign()
	if err != nil {
		return err
	}
	differs := now.sum != w.last.sum
	polled := w.isPolled.Load()
	if polled && w.watcher != nil { // the limit may be higher by now
		w.watched(w.watchAll())
	}
	if differs || w.doubt && polled {
		w.rescan = true
		w.fire(changed)
	}
	w.last, w.doubt = now, differs
	return nil
}

// pause returns the time until the next check.
func (w *refWatch) pause() time.Duration {
	base := cmp.Or(w.checkPause, checkPause)
	if w.isPolled.Load() {
		base = cmp.Or(w.pollPause, pollPause)
	}
	return base + time.Duration(w.last.files)*filePause
}

// A burst is the events of one change, or of several that follow each other. One ref is
// one event; a push of 400 is thousands.
type burst struct {
	events       int
	quiet, bound *time.Timer // it is over
}

const (
	shortQuiet = 8 * time.Millisecond // ends a burst of few events
	longQuiet  = 50 * time.Millisecond
	maxBurst   = 500 * time.Millisecond
	fewEvents  = 8
)

func newBurst() burst {
	b := burst{quiet: time.NewTimer(time.Hour), bound: time.NewTimer(time.Hour)}
	b.end()
	return b
}

func (b *burst) add() {
	if b.events == 0 {
		b.bound.Reset(maxBurst)
	}
	b.events++
	pause := shortQuiet
	if b.events > fewEvents {
		pause = longQuiet
	}
	b.quiet.Reset(pause)
}

func (b *burst) end() {
	b.events = 0
	b.quiet.Stop()
	b.bound.Stop()
}
