package follow

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"vext/filter"
	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/vcs"
)

// The commits of a repository that count are those made after it was added: by vext
// follow add, by vext hook install, or by the first start with its [[repository]].
// This time is on disk before the first look, whether or not the look succeeds. A
// first look at that time finds the positions of the branches, which is exact. A
// later first look compares the dates of the commits.

// start records when the repository was added, if it is not recorded yet. Then isNew
// is set.
func (f *Follower) start(s *State) (isNew bool, err error) {
	if s.Begun || !s.Start.IsZero() {
		return false, nil
	}
	if s.Start = s.Failing; !s.Start.IsZero() { // failing since before vext recorded the time
		return false, nil
	}
	s.Start = f.Queue.Now
	return true, f.Store.Save(s)
}

// overlap is how much earlier than necessary the range of commits begins that count
// by their dates, because clocks differ.
const overlap = 24 * time.Hour

// since returns the time from which on commits count when only their dates say that
// they are new: a little before the last successful look.
func (p *pass) since() time.Time {
	for _, t := range []time.Time{p.state.LastOK, p.state.Start} {
		if !t.IsZero() {
			return t.Add(-overlap)
		}
	}
	return p.Queue.Now.Add(-overlap)
}

// lateStart returns the time from which on commits count at a first look that was
// delayed after the repository was added, and the note about it.
func (p *pass) lateStart() (after time.Time, why string) {
	return p.since(), "it was added at " + p.date(p.state.Start) + " and could not be read before now"
}

// firstRange returns the commits of a branch that count at the first look: those
// after the configured commit or date, else those since the repository was added. ok
// is false if none count.
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

// maxBase bounds the tips that are recorded at the first look.
const maxBase = 20000

// recordFirst records the tips at the first look, whose commits do not count, and those
// of the branches that are only announced.
func (p *pass) recordFirst(tips map[string]string) {
	if !p.state.Begun {
		p.state.Begun = true
		base := slices.Compact(slices.Sorted(maps.Values(tips)))
		p.state.Base = base[:min(len(base), maxBase)]
	}
	p.recordUncounted(tips)
}

// beginBefore records the positions before the first push, or before the first push
// that is announced: the tips without the pushed commits.
func (p *pass) beginBefore(ctx context.Context, pushed []Update) error {
	if p.state.Begun && p.announcing == (p.state.Uncounted != nil) {
		return nil
	}
	tips, err := p.tipsBefore(ctx, pushed)
	if err == nil && !p.state.Begun {
		p.past = true
		defer func() { p.past = false }()
		var ranges []vcs.Range
		if ranges, err = p.ranges(ctx, updatesTo(tips), tips); err == nil {
			err = p.walk(ctx, ranges)
		}
	}
	if err == nil {
		p.recordFirst(tips)
	}
	return err
}

// byDate makes the commits of a range count by their dates. When the range has been
// walked, a note says why, and how many commits there were.
func (p *pass) byDate(r vcs.Range, after time.Time, why string) vcs.Range {
	r.After = after
	if p.why == nil {
		p.why = map[string]string{}
	}
	p.why[r.Refname] = why + "; counting its commits since " + p.date(after)
	return r
}

// noteByDate adds a note of how many commits counted by their dates, and how many of
// these ask for a reminder.
func (p *pass) noteByDate(why string, accepted filter.Accepted) {
	if why != "" {
		p.note("%s: %s, %s for a reminder", why, calendar.Plural(accepted.Commits, "commit"), calendar.Verb(len(accepted.Names), "asks", "ask"))
	}
}
