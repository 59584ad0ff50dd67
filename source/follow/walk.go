package follow

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"vext/filter"
	"vext/internal/commit"
	"vext/internal/vcs"
	"vext/policy"
)

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
	if lister, ok := p.repo.(vcs.Lister); ok {
		push.Files = func(revisions []string) map[string]commit.Files {
			files, err := lister.Files(ctx, revisions)
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
