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
	"time"

	"golang.org/x/sync/errgroup"

	"vext/filter"
	"vext/internal/backoff"
	"vext/internal/calendar"
	"vext/internal/disk"
	"vext/internal/text"
	"vext/internal/vcs"
	"vext/internal/weburl"
	"vext/policy"
	"vext/queue"
)

// A Repository is a repository to be read.
type Repository struct {
	Name        string     // the name of its state
	As          string     // its name in commits, if different
	Kind        vcs.Kind   // "" to detect it
	URL         weburl.URL // zero for a repository on this machine, which is read in place
	Path        string     // of a repository on this machine
	Branches    []string   // patterns
	Explicit    bool       // Branches are configured for this repository
	From        string     // the commit or the date after which commits count; "" for now
	FirstParent bool       // leave out the commits that merges bring in
	Committers  []string   // patterns of addresses; empty for all
	Domain      string     // appended to logins that are not addresses
	Source      string     // commit.FromFollow or commit.FromHook
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
			reports[i] = f.guarded(ctx, &repositories[i], force)
			return nil
		})
	}
	workers.Wait()
	return reports
}

// guarded reads one repository, and turns a panic into an error.
func (f *Follower) guarded(ctx context.Context, r *Repository, force bool) (report Report) {
	defer func() {
		if fault := recover(); fault != nil {
			report = Report{Name: r.Name, Err: fmt.Errorf("%s: panic: %v", r.Name, fault)}
		}
	}()
	return f.one(ctx, r, force, nil, 0)
}

// maxFetchTime bounds the time for one repository. The first copy of a large one
// takes long.
const maxFetchTime = 3 * time.Hour

// one reads one repository. pushed are the updates that a hook received.
func (f *Follower) one(ctx context.Context, r *Repository, force bool, pushed []Update, wait time.Duration) Report {
	p, unlock, err := f.begin(ctx, r, wait)
	if errors.Is(err, disk.ErrLocked) {
		return Report{Name: r.Name, Busy: true}
	}
	if err != nil {
		f.Log.Error("cannot follow", "repository", r.Name, "err", err)
		return Report{Name: r.Name, Err: fmt.Errorf("%s: %w", r.Name, err)}
	}
	defer unlock()
	state, report := p.state, &p.report
	if left := state.Next.Sub(f.Queue.Now); !force && left > 0 && left <= retries.Max && state.Where == r.Where() {
		report.RetryAt = state.Next
		return *report
	}
	if p.isNew, err = f.start(state); err != nil {
		report.Err = fmt.Errorf("%s: %w", r.Name, err)
		return *report
	}
	ctx, cancel := context.WithTimeout(ctx, maxFetchTime)
	defer cancel()
	err = p.run(ctx, pushed)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		report.Err = err // vext is ending, which is not a failure of the repository
		return *report
	}
	state.LastTry = f.Queue.Now
	switch {
	case f.CatchingUp && report.New > 0:
		p.note("a run found %s that the hook had missed", calendar.Plural(report.New, "request"))
		state.missed(f.Queue.Now)
	case !f.CatchingUp && f.Store.shared && err == nil:
		state.brought(f.Queue.Now)
	}
	p.remember(err)
	if saveErr := f.Store.Save(state); saveErr != nil {
		f.Log.Error("cannot save the position", "repository", r.Name, "err", saveErr)
		err = errors.Join(err, saveErr)
	}
	if err != nil {
		report.Err = fmt.Errorf("%s: %w", r.Name, err)
	}
	return *report
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
