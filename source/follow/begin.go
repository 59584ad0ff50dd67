package follow

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/vcs"
)

// What counts of a repository is what was committed since it was added: by
// vext follow add, by vext hook install, or by the first start with its
// [[repository]]. That time is on disk before the first look, whatever becomes
// of that. A first look at once finds the positions at that time, which is
// exact; a later one has only the dates of the commits to go by.

// start notes when the repository was added. isNew says that it is now.
func (f *Follower) start(s *State) (isNew bool, err error) {
	if s.Begun || !s.Start.IsZero() {
		return false, nil
	}
	if s.Start = s.Failing; !s.Start.IsZero() { // failing since before the time was noted
		return false, nil
	}
	s.Start = f.Queue.Now
	return true, f.Store.Save(s)
}

// overlap is by how much the time goes back from which on commits count by their
// dates: clocks differ.
const overlap = 24 * time.Hour

// since returns the time from which on commits count of which nothing but the
// date says that they are new: a little before the last look that went well.
func (p *pass) since() time.Time {
	for _, t := range []time.Time{p.state.LastOK, p.state.Start} {
		if !t.IsZero() {
			return t.Add(-overlap)
		}
	}
	return p.Queue.Now.Add(-overlap)
}

// lateStart returns the time from which on commits count at a first look that
// comes after the repository was added, and what is to be said of it.
func (p *pass) lateStart() (after time.Time, why string) {
	return p.since(), "it was added at " + p.date(p.state.Start) + " and could not be read before now"
}

// firstRange returns what counts of a branch at the first look: what is behind
// the commit or the date that is configured, else what came since the
// repository was added. ok is false where nothing of it counts.
func (p *pass) firstRange(ctx context.Context, refname, tip string) (r vcs.Range, ok bool, err error) {
	r = vcs.Range{Refname: refname, New: tip}
	from := p.repository.From
	if from == "" {
		if p.isNew {
			return r, false, nil
		}
		after, why := p.lateStart()
		return p.byDate(r, after, why), true, nil
	}
	if t, err := calendar.ParseTime(from, p.Queue.Zone); err == nil {
		r.After = t
		return r, true, nil
	}
	if !commit.IsHash(from) && vcs.SvnNumber(from) == 0 {
		return r, false, fmt.Errorf("from: %q is neither a date nor a full hash or revision", from)
	}
	r.Since = []string{from}
	there, err := p.repo.Has(ctx, r.Since)
	if err == nil && len(there) == 0 {
		err = fmt.Errorf("from: %s is not in the repository, or not on a branch that counts", from)
	}
	return r, true, err
}

// mostBase bounds how many tips are remembered as what there was.
const mostBase = 20000

// begin remembers, at the first look, what there was before.
func (p *pass) begin(tips map[string]string) {
	if p.state.Begun {
		return
	}
	p.state.Begun = true
	base := slices.Compact(slices.Sorted(maps.Values(tips)))
	p.state.Base = base[:min(len(base), mostBase)]
}

// beginBefore is the first look at a repository that was not looked at before a
// push came: what there was before is what there is, without what was pushed.
func (p *pass) beginBefore(ctx context.Context, pushed []Update) error {
	if p.state.Begun {
		return nil
	}
	tips, err := p.tipsBefore(ctx, pushed)
	if err != nil {
		return err
	}
	p.silent = true
	defer func() { p.silent = false }()
	ranges, err := p.ranges(ctx, tips)
	if err == nil {
		err = p.walk(ctx, ranges)
	}
	if err == nil {
		p.begin(tips)
	}
	return err
}

// byDate makes a range one of which the commits count by their dates. Once it
// was walked, it is noted why, and how many there were.
func (p *pass) byDate(r vcs.Range, after time.Time, why string) vcs.Range {
	r.After = after
	if p.why == nil {
		p.why = map[string]string{}
	}
	p.why[r.Refname] = why + "; counting its commits since " + p.date(after)
	return r
}

// noteByDate notes how many commits counted by their dates, and how many of them
// ask.
func (p *pass) noteByDate(why string, commits, asking int) {
	if why != "" {
		p.note("%s: %s, %d ask for a reminder", why, calendar.Plural(commits, "commit"), asking)
	}
}
