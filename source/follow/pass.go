package follow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vext/filter"
	"vext/internal/commit"
	"vext/internal/vcs"
	"vext/internal/weburl"
	"vext/policy"
)

// A pass reads one repository once.
type pass struct {
	*Follower
	repository *Repository
	state      *State
	report     Report
	repo       vcs.Repository

	isNew bool              // the repository was added now
	why   map[string]string // why commits count by their dates, by refname; see byDate

	announcing bool // commits are announced
	past       bool // but not those of this walk, which is the first

	vanished   []VanishedCommit // by a forced update in the current walk
	successors []commit.Arrival // of these, outside of the ranges
}

// begin locks a repository and reads its state.
func (f *Follower) begin(ctx context.Context, r *Repository, wait time.Duration) (p *pass, unlock func(), err error) {
	unlock, err = f.Store.Lock(ctx, r.Name, wait)
	if err != nil {
		return nil, nil, err
	}
	state, err := f.Store.Load(r.Name)
	announcing := false
	if err == nil {
		announcing, err = f.Filter.Spool.Announces()
	}
	if err != nil {
		unlock()
		return nil, nil, err
	}
	state.takeOver(r.wants)
	p = &pass{Follower: f, repository: r, state: state, report: Report{Name: r.Name}, why: map[string]string{}}
	p.announcing = f.Announces && announcing
	return p, unlock, nil
}

// say writes a message for the user to the report and the log, and returns it.
func (p *pass) say(format string, args ...any) string {
	text := fmt.Sprintf(format, args...)
	p.report.Messages = append(p.report.Messages, text)
	p.Log.Warn(text, "repository", p.repository.Name)
	return text
}

// run stores the requests and announcements of new commits, and then the requests in new
// notes.
func (p *pass) run(ctx context.Context, pushed []Update) error {
	if err := p.open(ctx); err != nil {
		return err
	}
	p.fetchNotes()
	if err := p.walkNew(ctx, pushed); err != nil {
		return err
	}
	return p.readNotes(ctx)
}

// walkNew stores the requests and announcements of new commits. The position of each
// branch moves after that.
func (p *pass) walkNew(ctx context.Context, pushed []Update) error {
	if pushed != nil {
		if err := p.beginBefore(ctx, pushed); err != nil {
			return err
		}
		if p.isNext(pushed) {
			return p.walkPushed(ctx, pushed)
		}
	}
	p.past = !p.state.Begun
	tips, err := p.repo.Update(ctx, p.fetches)
	if err != nil {
		return err
	}
	if svn, ok := p.repo.(vcs.SvnRepository); ok {
		return p.walkRevisions(ctx, svn, tips[""])
	}
	p.warn(slices.Collect(maps.Keys(tips)))
	if err := p.walkTo(ctx, tips); err != nil {
		return err
	}
	for refname := range p.state.Positions {
		if _, there := tips[refname]; !there && p.mayForget(refname) {
			p.state.forget(refname) // a deleted branch
		}
	}
	return nil
}

// isAnnounced reports whether the commits on a branch are announced.
func (p *pass) isAnnounced(refname string) bool {
	return p.announcing && p.Filter.Wants(cmp.Or(p.repository.As, p.repository.Name), refname)
}

// fetches reports whether a copy has a branch.
func (p *pass) fetches(refname string) bool {
	return p.repository.fetches(refname) || p.isAnnounced(refname)
}

func (p *pass) date(t time.Time) string { return t.In(p.Queue.Zone).Format(time.DateTime) }

// note writes a message as say does, and keeps it in the state.
func (p *pass) note(format string, args ...any) {
	text := p.say(format, args...)
	notes := append(p.state.Notes, Note{p.Queue.Now, text})
	p.state.Notes = notes[max(0, len(notes)-maxNotes):]
}

// open opens the repository. It detects the kind if none is configured.
func (p *pass) open(ctx context.Context) (err error) {
	r, s := p.repository, p.state
	if r.Tracks != nil {
		return p.openClone()
	}
	if s.Where != r.Where() || (r.Kind != "" && s.Kind != r.Kind) {
		s.Where, s.Kind = r.Where(), r.Kind
	}
	if s.Kind == "" {
		kind, err := vcs.Detect(ctx, weburl.Parse(cmp.Or(r.URL.Reveal(), r.Path)))
		if err != nil {
			return err
		}
		s.Kind = kind
	}
	if r.URL.IsZero() {
		p.repo, err = vcs.Open(s.Kind, r.Path, weburl.URL{})
		return err
	}
	if err := p.Store.prepare(); err != nil {
		return err
	}
	dir, err := filepath.Abs(p.Store.Copy(r.Name, s.Kind))
	if err != nil {
		return err
	}
	if err := p.Store.checkCopy(dir); err != nil {
		return err
	}
	p.repo, err = vcs.Open(s.Kind, dir, r.URL)
	return err
}

// warn records which configured patterns match no branch. names are the names of
// all branches.
func (p *pass) warn(names []string) {
	r, before := p.repository, p.state.Warnings
	p.state.Warnings = nil
	slices.Sort(names)
	matches := func(patterns []string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return policy.MatchBranch(patterns, name) })
	}
	switch {
	case len(names) == 0 && (p.state.Kind == vcs.Svn || r.URL.IsZero()): // no layout that shows branches; a new repository
	case len(names) == 0:
		p.state.Warnings = append(p.state.Warnings, "it has no branches yet")
	case r.Explicit:
		for _, pattern := range r.Branches {
			if !matches([]string{pattern}) {
				p.state.Warnings = append(p.state.Warnings, fmt.Sprintf("no branch matches %q; there are %s", pattern, few(names)))
			}
		}
	case !matches(r.Branches):
		p.state.Warnings = append(p.state.Warnings, fmt.Sprintf("no branch counts; there are %s", few(names)))
	}
	for _, warning := range p.state.Warnings {
		if !slices.Contains(before, warning) { // vext check shows it each time
			p.say("%s", warning)
		}
	}
}

// maxShown bounds the branch names in a warning.
const maxShown = 5

// few lists the first of some branches.
func few(refnames []string) string {
	var shown []string
	for _, name := range refnames[:min(len(refnames), maxShown)] {
		shown = append(shown, commit.BranchName(name))
	}
	if more := len(refnames) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("%d more", more))
	}
	return strings.Join(shown, ", ")
}

// walk stores the commits of ranges, and then moves the positions of the branches.
// Ranges whose commits count by their dates are walked separately, to be counted.
func (p *pass) walk(ctx context.Context, ranges []vcs.Range) error {
	if len(p.successors) > 0 {
		push := filter.NewPush(p.successors...)
		push.Past = true // and not announced again
		if _, err := p.store(push); err != nil {
			return err
		}
		p.successors = nil
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
		accepted, err := p.accept(ctx, parts[why], nil)
		if err != nil {
			return err
		}
		for _, r := range parts[why] {
			p.move(r.Refname, r.New)
		}
		p.noteByDate(why, accepted)
	}
	p.state.Vanished = append(p.state.Vanished, p.vanished...)
	p.vanished = nil
	return nil
}

// accept stores the requests and announcements of ranges. check, which may be nil, is
// called with each commit first; its error errGap ends the walk there.
func (p *pass) accept(ctx context.Context, ranges []vcs.Range, check func(*commit.Commit) error) (filter.Accepted, error) {
	counts := false
	push := filter.Push{
		Walk: func(take func(*commit.Arrival) error) (int, error) {
			n, err := p.repo.Walk(ctx, p.log(ranges), func(c *commit.Commit) error {
				if check != nil {
					if err := check(c); err != nil {
						return err
					}
				}
				if p.state.Kind == vcs.Svn && c.Message == "" && c.Refname == "" {
					return nil // outside of the followed path, or not chosen
				}
				if counts = p.counts(c); counts && len(p.state.Vanished) > 0 {
					p.state.Vanished = slices.DeleteFunc(p.state.Vanished, func(gone VanishedCommit) bool { return gone.Revision == c.Revision }) // it is back
				}
				return take(&commit.Arrival{Commit: *c})
			})
			if errors.Is(err, errGap) {
				err = nil
			}
			return n, err
		},
		Past:   p.past || !p.announcing,
		Counts: func(*commit.Commit) bool { return counts },
	}
	if git, ok := p.repo.(vcs.GitRepository); ok {
		push.Files = func(revisions []string) map[string]commit.Files {
			files, err := git.Files(ctx, revisions)
			if err != nil {
				p.Log.Debug("cannot list the changed files", "repository", p.repository.Name, "err", err)
			}
			return files
		}
	}
	accepted, err := p.store(push)
	p.report.Commits += accepted.Commits
	if accepted.Commits > 0 {
		p.state.arrived(p.Queue.Now)
	}
	return accepted, err
}

// store stores a push and counts its requests.
func (p *pass) store(push filter.Push) (filter.Accepted, error) {
	accepted, err := p.Filter.Accept(push)
	p.report.Requests += len(accepted.Names)
	p.report.New += accepted.New
	for _, name := range accepted.Names {
		p.Log.Debug("spooled", "repository", p.repository.Name, "name", name)
	}
	return accepted, err
}

func (p *pass) log(ranges []vcs.Range) vcs.Log {
	var progress func(done, total int)
	if p.Progress != nil {
		progress = p.Progress(p.repository.Name)
	}
	match := p.Filter.Match(p.past || !p.announcing)
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

// counts completes a commit and reports whether its request counts.
func (p *pass) counts(c *commit.Commit) bool {
	r := p.repository
	r.complete(c)
	return c.Message != "" && r.wants(c.Refname) && policy.MatchAddress(r.Committers, p.Queue.Policy.Person(c).Email)
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
