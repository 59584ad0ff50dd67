package follow

import (
	"context"
	"fmt"
	"slices"

	"vext/internal/vcs"
	"vext/internal/weburl"
)

// A clone of a user is read in place, where vext remote fetches. It shares the state of the
// repository with vext follow, which has a copy of its own, and with other clones. Each of
// them may know commits first, so a position may be one that the clone does not have yet.
// State.Past has what the branch was in a clone.

// FollowClone is Follow for one repository with a clone that has fetched.
func (f *Follower) FollowClone(ctx context.Context, r Repository) Report {
	return f.one(ctx, &r, true, nil, lockTimeout)
}

// openClone opens a clone.
func (p *pass) openClone() error {
	r, s := p.repository, p.state
	if s.Where == "" {
		s.Where = r.Where()
	}
	if weburl.Parse(s.Where).Place() != r.URL.Place() {
		return fmt.Errorf("%s is the name of %s; give %s another by a [[repository]] with its url", r.Name, s.Where, r.Where())
	}
	s.Kind, s.Clone, s.As = vcs.Git, r.Path, r.As
	p.repo = vcs.OpenTracking(r.Path, r.Tracks)
	return nil
}

// keepSeen records what a branch is in a clone.
func (s *State) keepSeen(refname, position string) {
	if s.Past == nil {
		s.Past = map[string][]string{}
	}
	seen := slices.DeleteFunc(s.Past[refname], func(p string) bool { return p == position })
	seen = append(seen, position)
	s.Past[refname] = seen[max(0, len(seen)-maxPast):]
}

// notBehind returns the updates without those to what a clone had before, while the position
// is one that it does not have yet.
func (p *pass) notBehind(ctx context.Context, updates []Update) ([]Update, error) {
	if p.repository.Tracks == nil {
		return updates, nil
	}
	var left []Update
	for _, u := range updates {
		position := p.state.Positions[u.Refname]
		if position != u.New && slices.Contains(p.state.Past[u.Refname], u.New) {
			there, err := p.repo.Has(ctx, []string{position})
			if err != nil {
				return nil, err
			}
			if len(there) == 0 {
				continue
			}
		}
		left = append(left, u)
	}
	return left, nil
}

// mayForget reports whether a branch that is not there was deleted. A clone need not have
// all branches.
func (p *pass) mayForget(refname string) bool {
	if p.repository.Tracks == nil {
		return true
	}
	_, hadIt := p.state.Past[refname]
	if hadIt {
		delete(p.state.Past, refname)
	}
	return hadIt
}
