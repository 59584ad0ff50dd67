// Package announce announces commits as they arrive.
//
// Every way in hands them over as files in STATE/notices, which is there while
// somebody announces them, see spool.Spool.PutAnnouncement. A Announcer watches it. What
// a file has to tell is in the outlet before the file is removed, and remembered
// in between, so that a crash loses nothing and tells nothing twice: what was put
// and not remembered is put again under the same keys, which the outlet knows.
package announce

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"github.com/fsnotify/fsnotify"

	"vext/notify"
	"vext/queue"
	"vext/spool"
)

// A Announcer puts what arrives into Outlet, each commit once for each branch,
// whichever ways it comes. Run is its only goroutine.
type Announcer struct {
	Spool  spool.Spool
	Policy *queue.Policy // for the names of repositories, and whom to believe
	Rules  []Rule
	Words  *Words
	Seen   *SeenStore
	Outlet notify.Outlet
	Log    *slog.Logger
	Now    func() time.Time

	Rescan time.Duration // how often to look without being told; 0 for 5 seconds

	trouble string    // what was last logged of what goes wrong
	expired time.Time // when Seen last forgot
}

const (
	// rescan is how often the directory is looked at whatever was told of it:
	// what is told can be lost, inotify(7).
	rescan = 5 * time.Second
	// memoryTime is how long it is known what was announced. A mail that is
	// delayed, or a server that sends a push again, does so for days.
	memoryTime  = 30 * 24 * time.Hour
	expireEvery = 24 * time.Hour
)

// Run announces what there is and what comes, until ctx ends. What goes wrong
// is logged and tried again.
func (t *Announcer) Run(ctx context.Context) error {
	if _, err := t.Spool.StartAnnouncements(); err != nil {
		return err
	}
	var w watch
	if err := w.begin(t.Spool); err != nil {
		t.Log.Warn("notices: not told of new ones; looking for them every few seconds", "err", err)
	}
	defer w.end()
	ticker := time.NewTicker(cmp.Or(t.Rescan, rescan))
	defer ticker.Stop()
	t.keep(ctx)
	for ctx.Err() == nil {
		failed := t.look(ctx)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return nil
			case event := <-w.events:
				waiting = failed || !event.Has(fsnotify.Create) // what has failed is left alone for a while
			case err := <-w.errors:
				t.Log.Debug("notices: watching", "err", err)
				waiting = failed
			case <-ticker.C:
				waiting = false
				t.keep(ctx)
				if err := w.again(t.Spool); err != nil {
					t.note(err)
				}
			}
		}
	}
	return nil
}

// A watch is told of new files in the directory of the notices; the zero watch
// of none.
type watch struct {
	watcher *fsnotify.Watcher
	events  chan fsnotify.Event
	errors  chan error
}

func (w *watch) begin(s spool.Spool) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	w.watcher, w.events, w.errors = watcher, watcher.Events, watcher.Errors
	return w.again(s)
}

// again watches the directory, and makes it where somebody has removed it. It
// does nothing where it is watched.
func (w *watch) again(s spool.Spool) error {
	dir, err := s.StartAnnouncements()
	if err != nil || w.watcher == nil || len(w.watcher.WatchList()) > 0 {
		return err
	}
	return w.watcher.Add(dir)
}

func (w *watch) end() {
	if w.watcher != nil {
		w.watcher.Close()
	}
}

// keep has the outlet forget the keys of what is remembered, and forgets what is
// old.
func (t *Announcer) keep(ctx context.Context) {
	keys, err := t.Seen.keys()
	if err == nil && len(keys) > 0 {
		if err = t.Outlet.Forget(ctx, keys...); err == nil {
			err = t.Seen.forgotten(keys)
		}
	}
	if now := t.Now(); err == nil && now.Sub(t.expired) >= expireEvery {
		t.expired = now
		err = t.Seen.expire(now.Add(-memoryTime))
	}
	if err != nil && ctx.Err() == nil {
		t.Log.Warn("notices: not cleared", "err", err)
	}
}

// look announces all that there is, and reports whether it could not. A file
// that can't be read stays, and keeps no other.
func (t *Announcer) look(ctx context.Context) (failed bool) {
	paths, err := t.Spool.Announcements()
	var unread []error
	for len(paths) > 0 && err == nil && ctx.Err() == nil {
		b := &batch{reason: map[string]string{}}
		paths = paths[t.gather(b, paths):]
		err = t.tell(ctx, b)
		unread = append(unread, b.errs...)
	}
	if errors.Is(err, fs.ErrNotExist) || ctx.Err() != nil {
		return false
	}
	t.note(errors.Join(append(unread, err)...))
	return err != nil
}

// note logs what goes wrong, once for as long as that is the same.
func (t *Announcer) note(err error) {
	switch {
	case err != nil && err.Error() != t.trouble:
		t.trouble = err.Error()
		t.Log.Error("notices: not announced; tried again", "err", err)
	case err == nil && t.trouble != "":
		t.trouble = ""
		t.Log.Info("notices: announced again")
	}
}
