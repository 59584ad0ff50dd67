package follow

import (
	"context"
	"time"

	"vext/filter"
	"vext/internal/commit"
	"vext/internal/history"
	"vext/internal/vcs"
	"vext/queue"
)

// A Backfill counts the requests of a past period, by what became of them.
type Backfill struct {
	Commits     int `json:"commits"` // looked at
	Requests    int `json:"asking"`  // of them ask for a reminder
	Missed      int `json:"passed"`  // were due before today: recorded, not sent
	Queued      int `json:"queued"`  // are due today or later
	Known       int `json:"known"`   // from any source
	Ignored     int `json:"ignored"` // do not count: copies, another branch
	Quarantined int `json:"unclear"` // can't be read, or must not be sent: quarantined

	Failures []BackfillFailure `json:"failures,omitempty"` // those that are Quarantined
}

// A BackfillFailure is a request that is quarantined.
type BackfillFailure struct {
	Revision string `json:"revision"`
	Subject  string `json:"subject"`
	Reason   string `json:"reason"` // of one or several lines
}

// Backfill stores the requests of commits that are not older than since. The caller
// holds the queue's lock, and schedules the spool afterwards. With dryRun, only the
// copy of the repository changes.
func (f *Follower) Backfill(ctx context.Context, r Repository, since time.Time, dryRun bool) (Backfill, error) {
	var b Backfill
	p, unlock, err := f.begin(ctx, &r, lockTimeout)
	if err != nil {
		return b, err
	}
	defer unlock()
	r.Source, p.past = commit.FromImport, true
	n, commits, err := p.requestsSince(ctx, since)
	if b.Commits = n; err != nil {
		return b, err
	}
	plan, err := f.Queue.PlanPast(commits)
	if err != nil {
		return b, err
	}
	passed, coming := b.count(plan)
	if dryRun {
		return b, nil
	}
	if err := f.Queue.History.Append(passed...); err != nil {
		return b, err
	}
	push := filter.NewPush(coming...)
	push.Past = true
	_, err = f.Filter.Accept(push)
	return b, err
}

// requestsSince returns the number of commits since a time, and those that ask for a
// reminder.
func (p *pass) requestsSince(ctx context.Context, since time.Time) (n int, commits []commit.Commit, err error) {
	if err := p.open(ctx); err != nil {
		return 0, nil, err
	}
	tips, err := p.repo.Update(ctx, p.repository.fetches)
	if err != nil {
		return 0, nil, err
	}
	var ranges []vcs.Range
	for _, u := range updatesTo(tips) {
		if p.repository.wants(u.Refname) {
			ranges = append(ranges, vcs.Range{Refname: u.Refname, New: u.New, After: since})
		}
	}
	n, err = p.repo.Walk(ctx, p.log(ranges), func(c *commit.Commit) error {
		if p.counts(c) {
			commits = append(commits, *c)
		}
		return nil
	})
	return n, commits, err
}

// count returns the events to record and the commits to spool.
func (b *Backfill) count(plan []queue.Decision) (passed []history.Event, coming []commit.Arrival) {
	for i := range plan {
		d := &plan[i]
		b.Requests++
		spools := false
		switch d.Event.Kind {
		case history.Missed:
			b.Missed++
			passed = append(passed, d.Event)
		case history.Queued:
			b.Queued++
			spools = true
		case history.Failed:
			b.Quarantined++
			b.Failures = append(b.Failures, BackfillFailure{d.Event.Revision, d.Event.Subject, d.Event.Reason})
			spools = true // to be quarantined with the spool
		case history.Ignored:
			b.Ignored++
		default:
			b.Known++
			spools = d.Event.Kind == history.OnBranch // for the reminder to name the branch
		}
		if spools {
			coming = append(coming, commit.Arrival{Commit: *d.Commit})
		}
	}
	return passed, coming
}
