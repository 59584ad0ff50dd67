package follow

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/text"
	"vext/internal/vcs"
)

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
	related := false
	if len(there) > 0 {
		if related, err = p.repo.Related(ctx, tip, there); err != nil {
			return r, err
		}
	}
	r.Since = there
	if related {
		return r, nil
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
	gone, err := p.findSuccessors(ctx, lost, r)
	if related {
		text := fmt.Sprintf("branch %s was forced from %s to %s: %s gone", branch, commit.ShortRevision(old), commit.ShortRevision(tip), calendar.Plural(n, "commit"))
		if n := amended(gone); n > 0 {
			text += fmt.Sprintf(", %d amended or rebased", n)
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
