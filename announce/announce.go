// Package announce announces commits as they arrive.
//
// filter.Filter.Accept stores them in the spool, while a process announces commits, see
// spool.NewAnnouncement. An Announcer watches the spool.
// It puts the messages of a file into the outbox, records the commits in the seen
// store, and then removes the file. So a crash loses nothing and announces nothing
// twice: messages that were put and not recorded are put again under the same keys,
// which the outbox rejects as duplicates.
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
	"vext/policy"
	"vext/spool"
)

// An Announcer puts a message for each commit that arrives into Outbox, once for
// each branch, whichever sources bring it. Run is its only goroutine.
type Announcer struct {
	Spool  spool.Spool
	Policy *policy.Policy // names of repositories, and trusted senders
	Rules  []Rule
	Words  *Words
	Seen   *SeenStore
	Outbox notify.Outbox
	Log    *slog.Logger
	Now    func() time.Time

	Rescan time.Duration // how often to read the directory without an event; 0 for 5 seconds

	lastError string    // as logged last, "" after a success
	expired   time.Time // when old entries of Seen were last removed
}

const (
	// rescan is how often the directory is read without an event, because events
	// can be lost, inotify(7).
	rescan = 5 * time.Second
	// keepSeen is how long an announced commit stays in the seen store. A mail can
	// be delayed, and a server can send a push again, for days.
	keepSeen    = 30 * 24 * time.Hour
	expireEvery = 24 * time.Hour
)

// Run announces the stored commits and those that arrive, until ctx ends. Errors
// are logged, and the work is retried.
func (a *Announcer) Run(ctx context.Context) error {
	if err := a.Spool.StartAnnouncing(); err != nil {
		return err
	}
	var w watch
	if err := w.begin(a.Spool); err != nil {
		a.Log.Warn("announcements: cannot watch the spool; reading it every few seconds", "err", err)
	}
	defer w.end()
	ticker := time.NewTicker(cmp.Or(a.Rescan, rescan))
	defer ticker.Stop()
	a.clean(ctx)
	for ctx.Err() == nil {
		failed := a.announceAll(ctx)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return nil
			case event := <-w.events:
				isNew := event.Has(fsnotify.Create) && spool.IsAnnouncement(event.Name)
				waiting = failed || !isNew // after a failure, wait for the ticker
			case err := <-w.errors:
				a.Log.Debug("announcements: watching the spool", "err", err)
				waiting = failed
			case <-ticker.C:
				waiting = false
				a.clean(ctx)
				if err := w.again(a.Spool); err != nil {
					a.logError(err)
				}
			}
		}
	}
	return nil
}

// A watch reports new files in the spool. The zero watch reports none.
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

// again watches the spool unless it is watched already. It makes the spool when it was
// removed.
func (w *watch) again(s spool.Spool) error {
	err := s.StartAnnouncing()
	if err != nil || w.watcher == nil || len(w.watcher.WatchList()) > 0 {
		return err
	}
	return w.watcher.Add(s.Dir())
}

func (w *watch) end() {
	if w.watcher != nil {
		w.watcher.Close()
	}
}

// clean removes the keys of recorded messages from the outbox, and old entries from
// the seen store.
func (a *Announcer) clean(ctx context.Context) {
	keys, err := a.Seen.keys()
	if err == nil && len(keys) > 0 {
		if err = a.Outbox.Forget(ctx, keys...); err == nil {
			err = a.Seen.removeKeys(keys)
		}
	}
	if now := a.Now(); err == nil && now.Sub(a.expired) >= expireEvery {
		a.expired = now
		err = a.Seen.expire(now.Add(-keepSeen))
	}
	if err != nil && ctx.Err() == nil {
		a.Log.Warn("announcements: cannot remove what is no longer needed", "err", err)
	}
}

// announceAll announces every stored file, and reports whether that failed. A file
// that can't be read stays and does not block the others.
func (a *Announcer) announceAll(ctx context.Context) (failed bool) {
	paths, err := a.Spool.Announcements()
	var unread []error
	for len(paths) > 0 && err == nil && ctx.Err() == nil {
		b := new(batch)
		paths = paths[a.fill(b, paths):]
		err = a.announce(ctx, b)
		unread = append(unread, b.errs...)
	}
	if errors.Is(err, fs.ErrNotExist) || ctx.Err() != nil {
		return false
	}
	a.logError(errors.Join(append(unread, err)...))
	return err != nil
}

// logError logs an error once for as long as it is the same.
func (a *Announcer) logError(err error) {
	switch {
	case err != nil && err.Error() != a.lastError:
		a.lastError = err.Error()
		a.Log.Error("announcements: failed; will retry", "err", err)
	case err == nil && a.lastError != "":
		a.lastError = ""
		a.Log.Info("announcements: working again")
	}
}
