package follow

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

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
	p = &pass{Follower: f, repository: r, state: state, report: Report{Name: r.Name}}
	p.announcing = f.Announces && announcing
	return p, unlock, nil
}

// say writes a message for the user to the report and the log.
func (p *pass) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	p.report.Messages = append(p.report.Messages, text)
	p.Log.Warn(text, "repository", p.repository.Name)
}

// run stores the requests and announcements of new commits. The position of each
// branch moves after that.
func (p *pass) run(ctx context.Context, pushed []Update) error {
	if err := p.open(ctx); err != nil {
		return err
	}
	if pushed != nil {
		if err := p.beginBefore(ctx, pushed); err != nil {
			return err
		}
		if p.isNext(pushed) {
			return p.walkPushed(ctx, pushed)
		}
	}
	p.past = !p.state.Begun
	tips, err := p.repo.Update(ctx, p.reads)
	if err != nil {
		return err
	}
	if svn, ok := p.repo.(vcs.SvnRepository); ok {
		return p.walkRevisions(ctx, svn, tips[""])
	}
	p.warn(slices.Collect(maps.Keys(tips)))
	ranges, err := p.ranges(ctx, updatesTo(tips), tips)
	if err != nil {
		return err
	}
	if err := p.walk(ctx, ranges); err != nil {
		return err
	}
	p.recordFirst(tips)
	for refname := range p.state.Positions {
		if _, there := tips[refname]; !there {
			p.state.forget(refname) // a deleted branch
		}
	}
	return nil
}

// isAnnounced reports whether the commits on a branch are announced.
func (p *pass) isAnnounced(refname string) bool {
	return p.announcing && p.Filter.Wants(cmp.Or(p.repository.As, p.repository.Name), refname)
}

// reads reports whether the commits of a branch are read.
func (p *pass) reads(refname string) bool {
	return p.repository.wants(refname) || p.isAnnounced(refname)
}

func (p *pass) date(t time.Time) string { return t.In(p.Queue.Zone).Format(time.DateTime) }

// note is say for a message that the state keeps.
func (p *pass) note(format string, args ...any) {
	p.say("%s", p.state.note(p.Queue.Now, format, args...))
}

// open opens the repository. It detects the kind if none is configured.
func (p *pass) open(ctx context.Context) (err error) {
	r, s := p.repository, p.state
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
	dir, err := filepath.Abs(p.Store.path(r.Name, "."+string(s.Kind)))
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
