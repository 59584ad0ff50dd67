package follow

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"vext/filter"
	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/text"
	"vext/internal/vcs"
	"vext/policy"
)

// A pass reads one repository once.
type pass struct {
	*Follower
	repository *Repository
	state      *State
	report     *Report
	repo       vcs.Repository
	batch      []commit.Commit

	isNew bool              // the repository was added now
	why   map[string]string // why commits count by their dates, by refname; see byDate

	announcing bool            // commits are announced
	silent     bool            // but not in this pass, which is the first
	news       filter.Arrivals // to be announced

	vanished []VanishedCommit // by a forced update in the current walk
}

// say writes a message for the user to the report and the log.
func (p *pass) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	p.report.Messages = append(p.report.Messages, text)
	p.Log.Warn(text, "repository", p.repository.Name)
}

// run stores the requests and announcements of new commits. The position of each
// branch moves after that.
func (p *pass) run(ctx context.Context, pushed []Update) (err error) {
	if p.repo, err = p.open(ctx); err != nil {
		return err
	}
	p.announcing = p.isAnnouncing()
	if pushed != nil {
		if err := p.beginBefore(ctx, pushed); err != nil {
			return err
		}
		if err := p.initAnnounced(ctx, pushed); err != nil {
			return err
		}
		if p.isNext(pushed) {
			return p.walkPushed(ctx, pushed)
		}
	}
	p.silent = !p.state.Begun
	tips, err := p.repo.Update(ctx, p.fetches)
	if err != nil {
		return err
	}
	if p.state.Kind == vcs.Svn {
		return p.walkRevisions(ctx, tips[""])
	}
	p.warn(slices.Collect(maps.Keys(tips)))
	ranges, err := p.ranges(ctx, tips)
	if err != nil {
		return err
	}
	announced, err := p.announcedRanges(ctx, tips)
	if err != nil {
		return err
	}
	if err := p.walk(ctx, append(ranges, announced...)); err != nil {
		return err
	}
	p.begin(tips)
	p.recordAnnounced(tips)
	for refname := range p.state.Positions {
		if _, there := tips[refname]; !there {
			delete(p.state.Positions, refname) // a deleted branch
		}
	}
	return nil
}

// ranges returns the new commits of every branch that counts.
func (p *pass) ranges(ctx context.Context, tips map[string]string) ([]vcs.Range, error) {
	var ranges []vcs.Range
	for _, refname := range slices.Sorted(maps.Keys(tips)) {
		tip := tips[refname]
		old, known := p.state.Positions[refname]
		if !p.repository.wants(refname) || known && old == tip {
			continue
		}
		r, counts := vcs.Range{}, true
		var err error
		switch {
		case known:
			r, err = p.update(ctx, refname, old, tip, tips)
		case p.state.Begun:
			r, err = p.newBranch(ctx, refname, tip)
		default:
			r, counts, err = p.firstRange(ctx, refname, tip)
		}
		if err != nil {
			return nil, err
		}
		if !counts {
			p.state.Positions[refname] = tip
			continue
		}
		ranges = append(ranges, r)
	}
	return ranges, nil
}

// known returns the positions up to which all commits are stored.
func (p *pass) known() []string { return p.knownBut("") }

// knownBut returns the known positions except that of one branch.
func (p *pass) knownBut(refname string) []string {
	var known []string
	for name, position := range p.state.Positions {
		if name != refname || refname == "" {
			known = append(known, position)
		}
	}
	return append(known, p.state.Base...)
}

// newBranch returns the new commits of a new branch: those that no known position
// contains. If the branch has no ancestor in common with a known position, the
// history was rewritten or imported, and its old commits are not new.
func (p *pass) newBranch(ctx context.Context, refname, tip string) (vcs.Range, error) {
	r := vcs.Range{Refname: refname, New: tip, Since: p.known()}
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

func (p *pass) date(t time.Time) string { return t.In(p.Queue.Zone).Format(time.DateTime) }

// note is say for a message that the state keeps.
func (p *pass) note(format string, args ...any) {
	p.say("%s", p.state.note(p.Queue.Now, format, args...))
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
	gone, err := p.successors(ctx, lost, r)
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
	since, err := p.repo.Has(ctx, append(p.knownBut(refname), p.state.Past[refname]...))
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
	log := vcs.Log{Ranges: []vcs.Range{{Refname: refname, New: old, Since: still}}, Match: p.asks}
	n, err = p.repo.Walk(ctx, log, func(c *commit.Commit) error {
		gone = append(gone, *c)
		return nil
	})
	return gone, n, err
}

func (p *pass) asks(message []byte) bool { return p.Filter.Trailers.Ask(message) }

// walk stores the commits of ranges, and then moves the positions of the branches.
// Ranges whose commits count by their dates are walked separately, to be counted.
func (p *pass) walk(ctx context.Context, ranges []vcs.Range) error {
	if len(ranges) == 0 {
		return nil
	}
	var whys []string
	parts := map[string][]vcs.Range{}
	for _, r := range ranges {
		why := p.why[r.Refname]
		if parts[why] == nil {
			whys = append(whys, why)
		}
		parts[why] = append(parts[why], r)
	}
	for _, why := range whys {
		if err := p.walkPart(ctx, parts[why], why); err != nil {
			return err
		}
	}
	p.state.Vanished = append(p.state.Vanished, p.vanished...)
	p.vanished = nil
	return nil
}

func (p *pass) walkPart(ctx context.Context, ranges []vcs.Range, why string) error {
	asking := p.report.Requests
	n, err := p.repo.Walk(ctx, p.log(ranges), p.take)
	p.report.Commits += n
	if n > 0 {
		p.Filter.Spool.Seen(p.Filter.Source)
		p.state.arrived(p.Queue.Now)
	}
	if err == nil {
		err = p.flush()
	}
	if err == nil {
		err = p.announce(ctx)
	}
	if err != nil {
		return err
	}
	for _, r := range ranges {
		if p.repository.wants(r.Refname) {
			p.move(r.Refname, r.New)
		} else {
			p.state.AnnouncedTips[r.Refname] = r.New
		}
	}
	p.noteByDate(why, n, p.report.Requests-asking)
	return nil
}

// maxPast bounds the earlier positions of a branch that are kept.
const maxPast = 20

// move sets the position of a branch. For Mercurial, from which commits can be
// stripped, it keeps the earlier positions, too.
func (p *pass) move(refname, position string) {
	s := p.state
	if s.Kind == vcs.Hg && s.Positions[refname] != "" {
		if s.Past == nil {
			s.Past = map[string][]string{}
		}
		past := append(s.Past[refname], s.Positions[refname])
		s.Past[refname] = past[max(0, len(past)-maxPast):]
	}
	s.Positions[refname] = position
}

func (p *pass) log(ranges []vcs.Range) vcs.Log {
	var progress func(done, total int)
	if p.Progress != nil {
		progress = p.Progress(p.repository.Name)
	}
	match := p.asks
	if p.announces() {
		match = nil
	}
	return vcs.Log{
		Ranges: ranges, FirstParent: p.repository.FirstParent, Match: match, Files: match == nil,
		Progress: func(n int) {
			if n == 2 && p.FoundSeveral != nil {
				p.FoundSeveral()
			}
			if progress != nil && n%1000 == 0 {
				progress(n, 0)
			}
		},
	}
}

// batchSize is how many commits are stored at once.
const batchSize = 500

// take collects a commit that asks for a reminder or is to be announced.
func (p *pass) take(c *commit.Commit) error {
	chosen := p.chooses(c)
	if p.announces() {
		p.collect(c)
		chosen = chosen && p.asks([]byte(c.Message))
	}
	if !chosen {
		return nil
	}
	p.state.Vanished = slices.DeleteFunc(p.state.Vanished, func(gone VanishedCommit) bool { return gone.Revision == c.Revision }) // it is back
	if p.batch = append(p.batch, *c); len(p.batch) >= batchSize {
		return p.flush()
	}
	return nil
}

// chooses completes a commit and reports whether it counts for the repository.
func (p *pass) chooses(c *commit.Commit) bool {
	r := p.repository
	r.complete(c)
	return c.Message != "" && r.wants(c.Refname) && policy.MatchAddress(r.Committers, p.Queue.Policy.Recipient(c).Email)
}

// complete sets the fields of a commit that depend on its repository.
func (r *Repository) complete(c *commit.Commit) {
	c.Repository, c.Source = cmp.Or(r.As, r.Name), r.Source
	for _, person := range []*commit.Person{&c.Author, &c.Committer} {
		if login := person.Email; login != "" && !strings.Contains(login, "@") {
			if person.Email = ""; r.Domain != "" {
				person.Email = login + "@" + r.Domain
			}
		}
	}
	c.Sender = c.Committer.Email
}

// flush spools the collected requests.
func (p *pass) flush() error {
	names, isNew, err := p.Filter.Take(p.batch...)
	if err != nil {
		return err
	}
	p.report.Requests += len(names)
	p.report.New += isNew
	for _, name := range names {
		p.Log.Debug("spooled", "repository", p.repository.Name, "name", name)
	}
	p.batch = p.batch[:0]
	return nil
}
