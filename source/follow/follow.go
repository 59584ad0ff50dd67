// Package follow finds new commits in repositories: in remote ones, of which it
// keeps copies, and in those on this machine that have a hook of vext, which may
// have failed. The position of a branch moves after its requests and announcements
// were stored.
package follow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"vext/filter"
	"vext/internal/backoff"
	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/disk"
	"vext/internal/history"
	"vext/internal/text"
	"vext/internal/vcs"
	"vext/internal/weburl"
	"vext/policy"
	"vext/queue"
	"vext/reminder"
)

// A Repository is a repository to be read.
type Repository struct {
	Name string     // the name of its state
	As   string     // its name in commits, if different
	Kind vcs.Kind   // "" to detect it
	URL  weburl.URL // zero for a repository on this machine, which is read in place
	Path string     // of a repository on this machine
	// Tracks returns the name of the branch at URL that a ref of a clone at Path follows.
	// Then nothing is fetched: the clone is read in place. Nil for no clone.
	Tracks      func(ref string) (branch string, ok bool)
	Branches    []string // patterns
	Explicit    bool     // Branches are configured for this repository
	From        string   // the commit or the date after which commits count; "" for now
	Targets     []string // patterns of the branches to which commits are merged: they are fetched, too
	FirstParent bool     // leave out the commits that merges bring in
	Committers  []string // patterns of addresses; empty for all
	Domain      string   // appended to logins that are not addresses
	Notes       string   // the ref of notes that ask for reminders; "" for none
	Source      string   // commit.FromFollow or commit.FromHook
}

// Where returns the URL or the path of the repository, without a password.
func (r *Repository) Where() string { return cmp.Or(r.URL.String(), r.Path) }

// A Follower reads repositories. It is for one pass: its queue has the time at
// which the pass began.
type Follower struct {
	Store    Store
	Queue    *queue.Queue
	Filter   *filter.Filter
	Log      *slog.Logger
	Progress func(what string) queue.Progress // may be nil, and may return nil
	// CatchingUp means that the commits found now were missed by a hook.
	CatchingUp   bool
	FoundSeveral func() // called at the second commit; may be nil
	Announces    bool   // commits are announced, on the branches of Filter.Announced
}

// A Report is the result for one repository.
type Report struct {
	Name     string
	Commits  int       // read
	Requests int       // commits that ask for a reminder
	New      int       // requests that are new to the spool
	Messages []string  // for the user
	RetryAt  time.Time // not tried before this time, after a failure; else zero
	Busy     bool      // locked by another process
	Err      error
}

// maxWorkers bounds the repositories that are read at the same time.
const maxWorkers = 8

// Follow reads repositories concurrently, so that a failing repository does not
// block the others. A repository that failed is in backoff for a while, unless
// force is set. The reports are in the order of the repositories.
func (f *Follower) Follow(ctx context.Context, repositories []Repository, force bool) []Report {
	reports := make([]Report, len(repositories))
	var workers errgroup.Group
	workers.SetLimit(maxWorkers)
	for i := range repositories {
		workers.Go(func() error {
			reports[i] = f.one(ctx, &repositories[i], force, nil, 0)
			return nil
		})
	}
	workers.Wait()
	return reports
}

// maxFetchTime bounds the time for one repository. The first copy of a large one
// takes long.
const maxFetchTime = 3 * time.Hour

// one reads one repository, and turns a panic into an error. pushed are the updates that a
// hook received.
func (f *Follower) one(ctx context.Context, r *Repository, force bool, pushed []Update, wait time.Duration) (report Report) {
	defer func() {
		if fault := recover(); fault != nil {
			report = Report{Name: r.Name, Err: fmt.Errorf("panic: %v", fault)}
		}
		if report.Err != nil {
			report.Err = fmt.Errorf("%s: %w", r.Name, report.Err)
		}
	}()
	p, unlock, err := f.begin(ctx, r, wait)
	if errors.Is(err, disk.ErrLocked) {
		return Report{Name: r.Name, Busy: true}
	}
	if err != nil {
		f.Log.Error("cannot follow", "repository", r.Name, "err", err)
		return Report{Name: r.Name, Err: err}
	}
	defer unlock()
	next := p.state.Next
	if left := next.Sub(f.Queue.Now); !force && left > 0 && left <= retries.Max && p.state.Where == r.Where() {
		p.report.RetryAt = next
		return p.report
	}
	p.report.Err = p.look(ctx, pushed)
	return p.report
}

// look calls run, and records the result in the state.
func (p *pass) look(ctx context.Context, pushed []Update) error {
	if err := p.start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, maxFetchTime)
	defer cancel()
	err := p.run(ctx, pushed)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return err // vext is ending, which is not a failure of the repository
	}
	s, now := p.state, p.Queue.Now
	s.LastTry = now
	switch {
	case p.CatchingUp && p.report.New > 0:
		p.note("a run found %s that the hook had missed", calendar.Plural(p.report.New, "request"))
		s.missed(now)
	case !p.CatchingUp && p.Store.shared && err == nil:
		s.brought(now)
	}
	p.remember(err)
	if saveErr := p.Store.Save(s); saveErr != nil {
		p.Log.Error("cannot save the position", "repository", s.Name, "err", saveErr)
		err = errors.Join(err, saveErr)
	}
	return err
}

// remember records in the state how the pass ended.
func (p *pass) remember(err error) {
	s, now := p.state, p.Queue.Now
	if err == nil {
		if s.Failures > 0 {
			p.Log.Info("following again", "repository", s.Name, "failures", s.Failures)
		}
		s.LastOK, s.Failures, s.Failing, s.Next, s.Error = now, 0, time.Time{}, time.Time{}, ""
		return
	}
	if s.Failures++; s.Failing.IsZero() {
		s.Failing = now
	}
	s.Next, s.Error = now.Add(retries.After(s.Failures-1)), text.Shorten(text.OneLine(err.Error()), 500)
	p.Log.Warn("cannot follow", "repository", s.Name, "err", s.Error, "failures", s.Failures)
}

// retries is the backoff of a repository, which begins with the second failure in a row.
var retries = backoff.Backoff{Min: 5 * time.Minute, Max: 6 * time.Hour}

// wants reports whether a branch counts for reminders.
func (r *Repository) wants(refname string) bool {
	return refname == "" || policy.MatchBranch(r.Branches, refname)
}

// fetches reports whether a copy has a branch.
func (r *Repository) fetches(refname string) bool {
	return r.wants(refname) || len(r.Targets) > 0 && policy.MatchBranch(r.Targets, refname)
}

// Sources gives a run access to the repositories. It implements reminder.Sources.
type Sources struct {
	Hooked   *Follower // of the repositories with a hook
	Followed *Follower
	// Names are the names of the configured repositories. Repositories that were
	// followed before cause no alert.
	Names []string
	// Repository returns the configuration of a repository with a hook.
	Repository func(s *State) Repository
}

// CatchUp spools the requests that hooks missed.
func (in *Sources) CatchUp(ctx context.Context) error {
	states, untrusted, err := in.Hooked.Store.all()
	for _, err := range untrusted {
		in.Hooked.Log.Error("ignoring a hook", "err", err)
	}
	if len(states) == 0 {
		return err
	}
	repositories := make([]Repository, len(states))
	for i, s := range states {
		repositories[i] = in.Repository(s)
	}
	// There is no backoff, because these repositories are on this machine, and the
	// next run must find what a hook missed.
	in.Hooked.CatchingUp = true
	for _, report := range in.Hooked.Follow(ctx, repositories, true) {
		if report.New > 0 {
			in.Hooked.Log.Info("caught up", "repository", report.Name, "spooled", report.New)
		}
	}
	return err // vext check shows the failures of single repositories
}

func (in *Sources) stores() []Store { return []Store{in.Hooked.Store, in.Followed.Store} }

// Vanished calls record with the commits that forced updates have removed since
// the last call, and forgets those that record does not return.
func (in *Sources) Vanished(ctx context.Context, record func([]history.Event) ([]history.Event, error)) error {
	var errs []error
	for _, store := range in.stores() {
		states, err := store.All()
		errs = append(errs, err)
		for _, s := range states {
			if len(s.Vanished) > 0 {
				errs = append(errs, in.vanished(ctx, store, s, record))
			}
		}
	}
	return errors.Join(errs...)
}

func (in *Sources) vanished(ctx context.Context, store Store, found *State, record func([]history.Event) ([]history.Event, error)) error {
	name := found.Name
	unlock, err := store.Lock(ctx, name, 0)
	if errors.Is(err, disk.ErrLocked) {
		return nil // the next run records them
	}
	if err != nil {
		return err
	}
	defer unlock()
	s, err := store.Load(name)
	if err != nil {
		return err
	}
	called := cmp.Or(s.As, name)
	if store == in.Hooked.Store && in.Repository != nil {
		called = cmp.Or(in.Repository(s).As, name)
	}
	var events []history.Event
	for _, gone := range s.Vanished {
		events = append(events, history.Event{
			Time: gone.Time, Successor: gone.Successor, Kind: history.Vanished, Source: commit.FromFollow, Repository: called, Branch: gone.Branch, Revision: gone.Revision,
			Key:    commit.MakeKey(called, gone.Revision),
			Reason: "a forced update took it off " + gone.Branch,
		})
	}
	left, err := record(events)
	if err != nil {
		return err
	}
	s.Vanished = slices.DeleteFunc(s.Vanished, func(gone VanishedCommit) bool {
		return !slices.ContainsFunc(left, func(e history.Event) bool { return e.Revision == gone.Revision })
	})
	return store.Save(s)
}

// alertAfter is how long a failure lasts before it is critical, and the operator is
// alerted.
const alertAfter = 24 * time.Hour

// Alerts returns what the operator is to be sent.
func (in *Sources) Alerts(now time.Time) []reminder.Alert {
	var alerts []reminder.Alert
	for _, store := range in.stores() {
		states, _ := store.All()
		for _, s := range states {
			wanted := store == in.Hooked.Store || s.Clone != "" || slices.Contains(in.Names, s.Name)
			if wanted && s.Failures > 0 && now.Sub(s.Failing) >= alertAfter {
				alerts = append(alerts, reminder.Alert{Subject: s.Name, Location: s.Where, Since: s.Failing, Message: s.Error})
			}
		}
	}
	return alerts
}
