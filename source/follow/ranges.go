package follow

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"vext/filter"
	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/text"
	"vext/internal/vcs"
)

// The commits of a repository that count are those made after it was added: by vext
// follow add, by vext hook install, or by the first start with its [[repository]].
// This time is on disk before the first look, whether or not the look succeeds. A
// first look at that time finds the positions of the branches, which is exact. A
// later first look compares the dates of the commits.

// start records when the repository was added, if it is not recorded yet.
func (p *pass) start() error {
	s := p.state
	if s.Begun || !s.Start.IsZero() {
		return nil
	}
	if s.Start = s.Failing; !s.Start.IsZero() { // failing since before vext recorded the time
		return nil
	}
	s.Start, p.isNew = p.Queue.Now, true
	return p.Store.Save(s)
}

// overlap is how much earlier than necessary the range of commits begins that count
// by their dates, because clocks differ.
const overlap = 24 * time.Hour

// since returns the time from which on commits count when only their dates say that
// they are new: a little before the last successful look.
func (p *pass) since() time.Time {
	return cmp.Or(p.state.LastOK, p.state.Start, p.Queue.Now).Add(-overlap)
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
		why := "it was added at " + p.date(p.state.Start) + " and could not be read before now"
		return p.byDate(r, p.since(), why), true, nil
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
	tips, err := p.repo.Update(ctx, p.fetches)
	if err != nil {
		return err
	}
	for _, u := range pushed {
		if tips[u.Refname] = u.Old; u.Old == "" {
			delete(tips, u.Refname)
		}
	}
	p.past = !p.state.Begun
	if p.past {
		err = p.walkTo(ctx, tips)
	} else {
		p.recordFirst(tips)
	}
	p.past = false
	return err
}

// walkTo stores what is new up to the tips of all branches.
func (p *pass) walkTo(ctx context.Context, tips map[string]string) error {
	updates, err := p.notBehind(ctx, updatesTo(tips))
	if err != nil {
		return err
	}
	ranges, err := p.ranges(ctx, updates, tips)
	if err == nil {
		err = p.walk(ctx, ranges)
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

// ranges returns the new commits of updated branches. tips are the positions of all
// branches. The position of a branch without new commits moves at once.
func (p *pass) ranges(ctx context.Context, updates []Update, tips map[string]string) ([]vcs.Range, error) {
	var ranges []vcs.Range
	var done []Update
	for _, u := range updates {
		r, ok, err := p.newRange(ctx, u.Refname, u.New, tips)
		if err != nil {
			return nil, err
		}
		if ok {
			ranges = append(ranges, r)
		} else {
			done = append(done, u)
		}
	}
	for _, u := range done {
		p.move(u.Refname, u.New)
	}
	return ranges, nil
}

// updatesTo returns the updates to the tips of branches, by name.
func updatesTo(tips map[string]string) []Update {
	var updates []Update
	for _, refname := range slices.Sorted(maps.Keys(tips)) {
		updates = append(updates, Update{Refname: refname, New: tips[refname]})
	}
	return updates
}

// newRange returns the new commits of a branch. ok is false if there are none.
func (p *pass) newRange(ctx context.Context, refname, tip string, tips map[string]string) (r vcs.Range, ok bool, err error) {
	old := p.state.Positions[refname]
	switch {
	case !p.repository.wants(refname):
		return p.announcedRange(ctx, refname, tip)
	case p.state.isCounted(refname) && old == tip:
		return r, false, nil
	case p.state.isCounted(refname):
		r, err = p.update(ctx, refname, old, tip, tips)
	case p.state.Begun:
		r, err = p.newBranch(ctx, refname, tip)
	default:
		return p.firstRange(ctx, refname, tip)
	}
	return r, true, err
}

// announcedRange returns the new commits of a branch that is announced and does not
// count for reminders. If its position is gone, or it is new and no known position is
// left, it has none, because old commits are not announced.
func (p *pass) announcedRange(ctx context.Context, refname, tip string) (r vcs.Range, ok bool, err error) {
	old, known := p.state.Positions[refname]
	if p.past || p.state.Uncounted == nil || !p.isAnnounced(refname) || known && old == tip {
		return r, false, nil
	}
	since := []string{old}
	if !known {
		since = slices.AppendSeq(slices.Clone(p.state.Base), maps.Values(p.state.Positions))
	}
	there, err := p.repo.Has(ctx, since)
	return vcs.Range{Refname: refname, New: tip, Since: there}, len(there) > 0 || len(since) == 0, err
}

// newBranch returns the new commits of a new branch: those that no known position
// contains. If the branch has no ancestor in common with a known position, the
// history was rewritten or imported, and its old commits are not new.
func (p *pass) newBranch(ctx context.Context, refname, tip string) (vcs.Range, error) {
	r := vcs.Range{Refname: refname, New: tip, Since: p.state.known("")}
	if len(r.Since) == 0 {
		return r, nil // the first push to an empty repository
	}
	there, err := p.repo.Has(ctx, r.Since)
	if err != nil {
		return r, err
	}
	r.Since = there
	if related, err := p.repo.Related(ctx, tip, there); related || err != nil {
		return r, err
	}
	after := p.since()
	if from, err := calendar.ParseTime(p.repository.From, p.Queue.Zone); err == nil {
		after = from
	} else if len(there) > 0 && !p.state.Start.IsZero() {
		after = p.state.Start.Add(-overlap)
	}
	return p.byDate(r, after, "branch "+commit.BranchName(refname)+" has nothing in common with the other branches"), nil
}

// update returns the new commits of a known branch. After a forced update, these are
// the commits since the merge base, and the commits that are gone are recorded.
func (p *pass) update(ctx context.Context, refname, old, tip string, tips map[string]string) (vcs.Range, error) {
	r := vcs.Range{Refname: refname, New: tip, Since: []string{old}}
	forward, err := p.repo.Includes(ctx, tip, old)
	if err != nil || p.state.Kind != vcs.Git { // for git, an error means that the position is gone
		there, hasErr := p.repo.Has(ctx, r.Since)
		switch {
		case hasErr != nil:
			return r, hasErr
		case len(there) == 0:
			return p.rebuilt(ctx, refname, old, tip)
		case err != nil:
			return r, err
		}
	}
	if forward {
		return r, nil
	}
	lost, n, err := p.gone(ctx, refname, old, tip, tips)
	if err != nil {
		return r, err
	}
	branch := commit.BranchName(refname)
	related, err := p.repo.Related(ctx, tip, []string{old})
	if err != nil {
		return r, err
	}
	if !related {
		r = p.byDate(r, p.since(), "branch "+branch+" was replaced by a history that has nothing in common with it")
	}
	gone, amended, err := p.findSuccessors(ctx, lost, r)
	if related {
		text := fmt.Sprintf("branch %s was forced from %s to %s: %s gone", branch, commit.ShortRevision(old), commit.ShortRevision(tip), calendar.Plural(n, "commit"))
		if amended > 0 {
			text += fmt.Sprintf(", %d amended or rebased", amended)
		}
		p.note("%s", text)
	}
	p.vanished = append(p.vanished, gone...)
	return r, err
}

// rebuilt returns the new commits of a branch whose position is no longer in the
// repository: it was stripped, or the copy was made again after a forced update.
func (p *pass) rebuilt(ctx context.Context, refname, old, tip string) (vcs.Range, error) {
	since, err := p.repo.Has(ctx, append(p.state.known(refname), p.state.Past[refname]...))
	if p.repository.Tracks != nil && slices.ContainsFunc(since, func(s string) bool { return slices.Contains(p.state.Past[refname], s) }) {
		return vcs.Range{Refname: refname, New: tip, Since: since}, err // the position is that of another copy
	}
	why := fmt.Sprintf("branch %s: its last known commit %s is gone", commit.BranchName(refname), text.Shorten(commit.ShortRevision(old), 40))
	return p.byDate(vcs.Range{Refname: refname, New: tip, Since: since}, p.since(), why), err
}

// gone returns the number of commits that are reachable from the old position of a
// branch and from no branch that counts, and those of them that ask for a reminder.
func (p *pass) gone(ctx context.Context, refname, old, tip string, tips map[string]string) (gone []commit.Commit, n int, err error) {
	still := []string{tip}
	for name, position := range tips {
		if p.repository.wants(name) && name != refname {
			still = append(still, position)
		}
	}
	log := vcs.Log{Ranges: []vcs.Range{{Refname: refname, New: old, Since: still}}, Match: p.Filter.Trailers.Ask}
	n, err = p.repo.Walk(ctx, log, func(c *commit.Commit) error {
		gone = append(gone, *c)
		return nil
	})
	return gone, n, err
}
