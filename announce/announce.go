// Package announce announces commits as they arrive.
//
// While a process announces commits, filter.Filter.Accept stores them in the spool, see
// spool.NewAnnouncement. An Announcer watches the spool. It puts the messages of a file
// into the outbox, records the commits in the seen store, and then removes the file. So a
// crash loses nothing and announces nothing twice: messages that were put and not
// recorded are put again under the same keys, and the outbox ignores them.
package announce

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"

	"vext/internal/commit"
	"vext/internal/target"
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

	Rescan time.Duration // how often to look for files without an event; 0 for 5 seconds

	lastError string    // as logged last, "" after a success
	expired   time.Time // when old entries of Seen were last removed
	changed   time.Time // when the spool's directory was, see isChanged
}

const (
	// rescan is how often a spool that has changed is read without an event, because
	// events can be lost, inotify(7).
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
	w, err := fsnotify.NewBufferedWatcher(maxFiles)
	if err != nil {
		w = new(fsnotify.Watcher) // reports nothing
	} else {
		defer w.Close()
		_, err = a.watch(w)
	}
	if err != nil {
		a.Log.Warn("announcements: cannot watch the spool; reading it every few seconds", "err", err)
	}
	ticker := time.NewTicker(cmp.Or(a.Rescan, rescan))
	defer ticker.Stop()
	a.clean(ctx)
	for failed := a.announceAll(ctx); ctx.Err() == nil; {
		select {
		case <-ctx.Done():
		case event := <-w.Events:
			paths := arrived(event, w.Events)
			switch {
			case failed || len(paths) == 0: // after a failure, wait for the ticker
			case a.lastError != "": // about another file, which is not to be forgotten
				failed = a.announceAll(ctx)
			default:
				failed = a.announceFiles(ctx, paths)
			}
		case err := <-w.Errors: // events were lost
			a.Log.Debug("announcements: watching the spool", "err", err)
			failed = failed || a.announceAll(ctx)
		case <-ticker.C:
			a.clean(ctx)
			isWatched, err := a.watch(w)
			if err != nil {
				a.logError(err)
			}
			if failed || !isWatched || a.isChanged() {
				failed = a.announceAll(ctx)
			}
		}
	}
	return nil
}

// isChanged reports whether files came into the spool, or left it, since the last call.
func (a *Announcer) isChanged() bool {
	info, err := os.Stat(a.Spool.Dir())
	if err == nil && info.ModTime().Equal(a.changed) {
		return false
	}
	if err == nil {
		a.changed = info.ModTime()
	}
	return true
}

// watch watches the spool, and reports whether it was watched already. It makes the
// spool when it was removed.
func (a *Announcer) watch(w *fsnotify.Watcher) (isWatched bool, err error) {
	if err := a.Spool.StartAnnouncing(); err != nil || w.Events == nil {
		return false, err
	}
	if len(w.WatchList()) > 0 {
		return true, nil
	}
	return false, w.Add(a.Spool.Dir())
}

// arrived returns the new announcements of an event and of those that follow it already,
// oldest first.
func arrived(event fsnotify.Event, more <-chan fsnotify.Event) (paths []string) {
	for {
		if event.Has(fsnotify.Create) && spool.IsAnnouncement(event.Name) {
			paths = append(paths, event.Name)
		}
		if len(more) == 0 {
			slices.Sort(paths)
			return paths
		}
		event = <-more
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

// announceAll announces every stored file, and reports whether that failed.
func (a *Announcer) announceAll(ctx context.Context) (failed bool) {
	paths, err := a.Spool.Announcements()
	if err != nil {
		a.logError(err)
		return true
	}
	return a.announceFiles(ctx, paths)
}

// announceFiles announces files, and reports whether that failed. A file that can't be
// read stays and does not block the others.
func (a *Announcer) announceFiles(ctx context.Context, paths []string) (failed bool) {
	var err error
	var unread []error
	for len(paths) > 0 && err == nil && ctx.Err() == nil {
		b := new(batch)
		paths = paths[a.fill(b, paths):]
		err = a.announce(ctx, b)
		unread = append(unread, b.errs...)
	}
	if ctx.Err() != nil {
		return false
	}
	if len(unread) > 0 {
		a.changed = time.Time{} // read them again
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

// A Rule says which commits are announced to which targets. Patterns are those of a
// policy.Policy; an empty list matches everything.
type Rule struct {
	Repositories, Branches []string
	To                     []string // URLs, as target.Parse takes them
	Template               string   // of a message; "" for announcement.txt
	Colors                 string   // mirc, ansi or none; "" for none
	Max                    int      // commits of one push that get a message each
}

// DefaultMax is the default of Rule.Max.
const DefaultMax = 3

// matches reports whether the rule applies to a branch of a repository. A commit
// without a branch matches, as it does for reminders.
func (r *Rule) matches(p *policy.Policy, repository, refname string) bool {
	return p.HasRepository(r.Repositories, repository) && (commit.BranchName(refname) == "" || policy.MatchBranch(r.Branches, refname))
}

// Matcher returns a function that reports whether any rule applies to a branch of a
// repository, which may have any of its names.
func Matcher(p *policy.Policy, rules []Rule) func(repository, refname string) bool {
	return func(repository, refname string) bool {
		return slices.ContainsFunc(rules, func(r Rule) bool { return r.matches(p, repository, refname) })
	}
}

// sameTarget returns the same string for all URLs of one target.
func sameTarget(url string) string {
	t, err := target.Parse(url)
	if err != nil { // the outbox will report it
		return url
	}
	return t.String()
}
