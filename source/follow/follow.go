// Package follow finds new commits in repositories, without anybody telling:
// in those that it keeps copies of, and in those on this machine whose hook may
// have failed. Each commit that asks for a reminder goes into the spool, and every one
// that is to be announced is handed over; only then the position behind it moves.
package follow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"vext/filter"
	"vext/internal/calendar"
	"vext/internal/text"
	"vext/internal/vcs"
	"vext/internal/weburl"
	"vext/queue"
	"vext/reminder"
)

// A Repository is one to be followed.
type Repository struct {
	Name        string     // under which its state is kept
	As          string     // what its commits call it, when that is another name
	Kind        vcs.Kind   // "" to find out
	URL         weburl.URL // zero for one on this machine, read where it lies
	Path        string     // where that is
	Branches    []string   // patterns
	Explicit    bool       // Branches were named for this repository
	From        string     // a commit or a date from which on commits count; "" for now
	FirstParent bool       // leave out what merges bring in
	Committers  []string   // patterns of addresses; empty takes all
	Domain      string     // of logins that are no addresses
	Source      string     // commit.FromFollow or commit.FromHook
}

// where says which repository it is, and changes when it is another.
// A password is no part of it.
func (r *Repository) where() string { return cmp.Or(r.URL.String(), r.Path) }

// Where returns the URL or the path of the repository, without a password.
func (r *Repository) Where() string { return r.where() }

// A Follower looks after repositories. It belongs to one pass: its queue has
// the time at which that began.
type Follower struct {
	Store    Store
	Queue    *queue.Queue
	Filter   *filter.Filter
	Log      *slog.Logger
	Progress func(what string) queue.Progress // may be nil, and may return nil
	// CatchingUp says that what is found now is what a hook has missed.
	CatchingUp   bool
	FoundSeveral func() // called when there is more than one commit; may be nil
	// IsAnnounced reports whether commits on a branch of a repository are announced;
	// nil when none are.
	IsAnnounced func(repository, refname string) bool
}

// A Report says what became of one repository.
type Report struct {
	Name     string
	Commits  int       // looked at
	Requests int       // of them ask for a reminder
	New      int       // of those are new to the spool
	Messages []string  // what somebody should know
	RetryAt  time.Time // not tried: it failed lately; zero when it was
	Busy     bool      // another process is at it
	Err      error
}

// atOnce is how many repositories are looked after at once.
const atOnce = 8

// Follow looks after repositories, each by itself: one that fails, or hangs,
// does not hold up another. Those that failed lately are left alone for a
// while, unless insist is set. The reports are in the order of the
// repositories.
func (f *Follower) Follow(ctx context.Context, repositories []Repository, insist bool) []Report {
	reports := make([]Report, len(repositories))
	slots := make(chan struct{}, atOnce)
	var workers sync.WaitGroup
	for i := range repositories {
		workers.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			reports[i] = f.guarded(ctx, &repositories[i], insist)
		})
	}
	workers.Wait()
	return reports
}

// guarded looks after one repository, and turns a panic into an error of that
// one.
func (f *Follower) guarded(ctx context.Context, r *Repository, insist bool) (report Report) {
	defer func() {
		if fault := recover(); fault != nil {
			report = Report{Name: r.Name, Err: fmt.Errorf("%s: panic: %v", r.Name, fault)}
		}
	}()
	return f.one(ctx, r, insist, nil, 0)
}

// longestFetch bounds one look at one repository: the first copy of a large one
// takes long.
const longestFetch = 3 * time.Hour

// one looks after one repository. For a hook, pushed is what it was told.
func (f *Follower) one(ctx context.Context, r *Repository, insist bool, pushed []Update, wait time.Duration) Report {
	report := Report{Name: r.Name}
	unlock, err := f.Store.Lock(ctx, r.Name, wait)
	if errors.Is(err, ErrBusy) {
		report.Busy = true
		return report
	}
	if err != nil {
		report.Err = fmt.Errorf("%s: %w", r.Name, err)
		return report
	}
	defer unlock()
	state, err := f.Store.Load(r.Name)
	if err != nil {
		f.Log.Error("can't be followed", "repository", r.Name, "err", err)
		report.Err = err
		return report
	}
	if left := state.Next.Sub(f.Queue.Now); !insist && left > 0 && left <= longestPause && state.Where == r.where() {
		report.RetryAt = state.Next
		return report
	}
	isNew, err := f.start(state)
	if err != nil {
		report.Err = fmt.Errorf("%s: %w", r.Name, err)
		return report
	}
	ctx, cancel := context.WithTimeout(ctx, longestFetch)
	defer cancel()
	p := pass{Follower: f, repository: r, state: state, report: &report, isNew: isNew}
	err = p.run(ctx, pushed)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		report.Err = err // told to end: no failure of the repository
		return report
	}
	state.LastTry = f.Queue.Now
	switch {
	case f.CatchingUp && report.New > 0:
		p.note("a run has found %s that its hook had not brought", calendar.Plural(report.New, "request"))
		state.missed(f.Queue.Now)
	case !f.CatchingUp && f.Store.shared && err == nil:
		state.brought(f.Queue.Now)
	}
	p.remember(err)
	if saveErr := f.Store.Save(state); saveErr != nil {
		f.Log.Error("its position can't be noted", "repository", r.Name, "err", saveErr)
		err = errors.Join(err, saveErr)
	}
	if err != nil {
		report.Err = fmt.Errorf("%s: %w", r.Name, err)
	}
	return report
}

// remember notes in the state how the pass ended.
func (p *pass) remember(err error) {
	s, now := p.state, p.Queue.Now
	if err == nil {
		if s.Failures > 0 {
			p.Log.Info("can be followed again", "repository", s.Name, "failed", s.Failures)
		}
		s.LastOK, s.Failures, s.Failing, s.Next, s.Error = now, 0, time.Time{}, time.Time{}, ""
		return
	}
	if s.Failures++; s.Failing.IsZero() {
		s.Failing = now
	}
	s.Next, s.Error = now.Add(reminder.Pause(s.Failures, longestPause)), text.Shorten(text.OneLine(err.Error()), 500)
	p.Log.Warn("can't be followed", "repository", s.Name, "err", s.Error, "failures", s.Failures)
}

// longestPause is the longest between two attempts.
const longestPause = 6 * time.Hour

// open returns the repository, and finds out its kind where nobody said.
func (p *pass) open(ctx context.Context) (vcs.Repository, error) {
	r, s := p.repository, p.state
	if s.Where != r.where() || (r.Kind != "" && s.Kind != r.Kind) {
		s.Where, s.Kind = r.where(), r.Kind
	}
	if s.Kind == "" {
		kind, err := vcs.Detect(ctx, weburl.Parse(cmp.Or(r.URL.Reveal(), r.Path)))
		if err != nil {
			return nil, err
		}
		s.Kind = kind
	}
	if r.URL.IsZero() {
		return vcs.Open(s.Kind, r.Path, weburl.URL{})
	}
	if err := p.Store.prepare(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(p.Store.path(r.Name, "."+string(s.Kind)))
	if err != nil {
		return nil, err
	}
	if err := p.Store.checkCopy(dir); err != nil {
		return nil, err
	}
	return vcs.Open(s.Kind, dir, r.URL)
}

// wants reports whether a branch is to be looked at.
func (r *Repository) wants(refname string) bool {
	return refname == "" || queue.MatchBranch(r.Branches, refname)
}

// warn looks for what is configured and leads to nothing. names are those of
// all branches.
func (p *pass) warn(names []string) {
	r, before := p.repository, p.state.Warnings
	p.state.Warnings = nil
	slices.Sort(names)
	matches := func(patterns []string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return queue.MatchBranch(patterns, name) })
	}
	switch {
	case len(names) == 0 && (p.state.Kind == vcs.Svn || r.URL.IsZero()): // no layout by which to tell branches; new
	case len(names) == 0:
		p.state.Warnings = append(p.state.Warnings, "it has no branches yet")
	case r.Explicit:
		for _, pattern := range r.Branches {
			if !matches([]string{pattern}) {
				p.state.Warnings = append(p.state.Warnings, fmt.Sprintf("no branch matches %q; there are %s", pattern, few(names)))
			}
		}
	case !matches(r.Branches):
		p.state.Warnings = append(p.state.Warnings, fmt.Sprintf("none of its branches counts; there are %s", few(names)))
	}
	for _, warning := range p.state.Warnings {
		if !slices.Contains(before, warning) { // vext check goes on saying it
			p.say("%s", warning)
		}
	}
}
