package follow

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"vext/filter"
	"vext/internal/commit"
	"vext/internal/vcs"
)

// Commits are announced as they are found, whether they ask for a reminder or
// not, and on the branches that notices name. Those of these that do not count
// for reminders have positions of their own, in State.Told, so that reminders
// stay what they would be without.

// tells reports whether the commits on a branch are announced.
func (p *pass) tells(refname string) bool {
	return p.telling && p.IsAnnounced(cmp.Or(p.repository.As, p.repository.Name), refname)
}

// fetches reports whether a branch is to be looked at, for either reason.
func (p *pass) fetches(refname string) bool { return p.repository.wants(refname) || p.tells(refname) }

// isTelling reports whether there is anybody to tell.
func (p *pass) isTelling() bool { return p.IsAnnounced != nil && p.Filter.Announces() }

// announces reports whether the pass has anything to announce.
func (p *pass) announces() bool { return p.telling && !p.silent }

// hear takes in a commit that may be one to be announced. Subversion's revision
// without a branch and a message stands for one that is none of ours.
func (p *pass) hear(c *commit.Commit) {
	isNone := p.state.Kind == vcs.Svn && c.Message == "" && c.Refname == ""
	if !isNone && p.tells(c.Refname) {
		p.news.Add(commit.Arrival{Commit: *c})
	}
}

// fewFiles is up to how many commits are asked for the files that they changed:
// of more, these are not told.
const fewFiles = 10

// announce hands over what was heard.
func (p *pass) announce(ctx context.Context) error {
	if lister, ok := p.repo.(vcs.Lister); ok && p.news.Len() <= fewFiles && p.news.Len() > 0 {
		var revisions []string
		for _, c := range p.news.All() {
			revisions = append(revisions, c.Revision)
		}
		files, err := lister.Files(ctx, revisions)
		if err != nil {
			p.Log.Debug("the changed files can't be listed", "repository", p.repository.Name, "err", err)
		}
		for i := range p.news.All() {
			c := &p.news.All()[i]
			c.Files = files[c.Revision]
		}
	}
	err := p.Filter.Announce(&p.news)
	p.news = filter.Arrivals{}
	return err
}

// beginTold notes, before the first push that is announced, what there was
// before it.
func (p *pass) beginTold(ctx context.Context, pushed []Update) error {
	if !p.telling {
		p.state.AnnouncedTips = nil
		return nil
	}
	if p.state.AnnouncedTips != nil {
		return nil
	}
	tips, err := p.tipsBefore(ctx, pushed)
	if err == nil {
		p.toldUpTo(tips)
	}
	return err
}

// toldUpTo notes the positions of all branches that have none for reminders.
func (p *pass) toldUpTo(tips map[string]string) {
	p.state.AnnouncedTips = nil
	if !p.telling {
		return
	}
	p.state.AnnouncedTips = map[string]string{}
	for _, refname := range slices.Sorted(maps.Keys(tips)) {
		if !p.repository.wants(refname) && (len(p.state.AnnouncedTips) < mostBase || p.tells(refname)) {
			p.state.AnnouncedTips[refname] = tips[refname]
		}
	}
}

// toldRanges returns what is new on those of the branches that only notices
// name. Where there was no position before, or it is gone, nothing is: what has
// become of the past is not told.
func (p *pass) toldRanges(ctx context.Context, tips map[string]string) ([]vcs.Range, error) {
	if p.silent || p.state.AnnouncedTips == nil {
		return nil, nil
	}
	var ranges []vcs.Range
	for _, refname := range slices.Sorted(maps.Keys(tips)) {
		old, known := p.state.AnnouncedTips[refname]
		if p.repository.wants(refname) || !p.tells(refname) || known && old == tips[refname] {
			continue
		}
		since := []string{old}
		if !known {
			since = append(p.known(), slices.Collect(maps.Values(p.state.AnnouncedTips))...)
		}
		there, err := p.repo.Has(ctx, since)
		if err != nil {
			return nil, err
		}
		if len(there) == 0 && len(since) > 0 {
			continue
		}
		ranges = append(ranges, vcs.Range{Refname: refname, New: tips[refname], Since: there})
	}
	return ranges, nil
}

// toldPushed is toldRanges for one branch of a push.
func (p *pass) toldPushed(ctx context.Context, u Update) ([]vcs.Range, error) {
	if u.New == "" {
		delete(p.state.AnnouncedTips, u.Refname)
		return nil, nil
	}
	ranges, err := p.toldRanges(ctx, map[string]string{u.Refname: u.New})
	if err == nil && len(ranges) == 0 && p.state.AnnouncedTips != nil {
		p.state.AnnouncedTips[u.Refname] = u.New
	}
	return ranges, err
}
