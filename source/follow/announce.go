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

// Commits on the branches of [[announce]] are announced as they are found, whether
// they ask for a reminder or not. Branches that do not count for reminders have their
// positions in State.AnnouncedTips.

// isAnnounced reports whether the commits on a branch are announced.
func (p *pass) isAnnounced(refname string) bool {
	return p.announcing && p.IsAnnounced(cmp.Or(p.repository.As, p.repository.Name), refname)
}

// fetches reports whether the commits of a branch are read.
func (p *pass) fetches(refname string) bool {
	return p.repository.wants(refname) || p.isAnnounced(refname)
}

// isAnnouncing reports whether commits are announced.
func (p *pass) isAnnouncing() bool { return p.IsAnnounced != nil && p.Filter.Announces() }

// announces reports whether this pass announces commits.
func (p *pass) announces() bool { return p.announcing && !p.silent }

// collect adds a commit that is to be announced. A revision of Subversion without a
// branch and a message is outside the followed path.
func (p *pass) collect(c *commit.Commit) {
	isNone := p.state.Kind == vcs.Svn && c.Message == "" && c.Refname == ""
	if !isNone && p.isAnnounced(c.Refname) {
		p.news.Add(commit.Arrival{Commit: *c})
	}
}

// maxListed is up to how many announced commits have the list of changed files.
const maxListed = 10

// announce stores the collected announcements.
func (p *pass) announce(ctx context.Context) error {
	if lister, ok := p.repo.(vcs.Lister); ok && p.news.Len() <= maxListed && p.news.Len() > 0 {
		var revisions []string
		for _, c := range p.news.All() {
			revisions = append(revisions, c.Revision)
		}
		files, err := lister.Files(ctx, revisions)
		if err != nil {
			p.Log.Debug("cannot list the changed files", "repository", p.repository.Name, "err", err)
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

// initAnnounced records the positions before the first push that is announced.
func (p *pass) initAnnounced(ctx context.Context, pushed []Update) error {
	if !p.announcing {
		p.state.AnnouncedTips = nil
		return nil
	}
	if p.state.AnnouncedTips != nil {
		return nil
	}
	tips, err := p.tipsBefore(ctx, pushed)
	if err == nil {
		p.recordAnnounced(tips)
	}
	return err
}

// recordAnnounced records the positions of all branches that do not count for
// reminders.
func (p *pass) recordAnnounced(tips map[string]string) {
	p.state.AnnouncedTips = nil
	if !p.announcing {
		return
	}
	p.state.AnnouncedTips = map[string]string{}
	for _, refname := range slices.Sorted(maps.Keys(tips)) {
		if !p.repository.wants(refname) && (len(p.state.AnnouncedTips) < maxBase || p.isAnnounced(refname)) {
			p.state.AnnouncedTips[refname] = tips[refname]
		}
	}
}

// announcedRanges returns the new commits of the branches that are announced and do
// not count for reminders. If the position is unknown or gone, none are new, because
// old commits are not announced.
func (p *pass) announcedRanges(ctx context.Context, tips map[string]string) ([]vcs.Range, error) {
	if p.silent || p.state.AnnouncedTips == nil {
		return nil, nil
	}
	var ranges []vcs.Range
	for _, refname := range slices.Sorted(maps.Keys(tips)) {
		old, known := p.state.AnnouncedTips[refname]
		if p.repository.wants(refname) || !p.isAnnounced(refname) || known && old == tips[refname] {
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

// announcedPushRange is announcedRanges for one branch of a push.
func (p *pass) announcedPushRange(ctx context.Context, u Update) ([]vcs.Range, error) {
	if u.New == "" {
		delete(p.state.AnnouncedTips, u.Refname)
		return nil, nil
	}
	ranges, err := p.announcedRanges(ctx, map[string]string{u.Refname: u.New})
	if err == nil && len(ranges) == 0 && p.state.AnnouncedTips != nil {
		p.state.AnnouncedTips[u.Refname] = u.New
	}
	return ranges, err
}
