package follow

import (
	"context"
	"slices"
	"strings"

	"vext/internal/commit"
	"vext/internal/vcs"
)

// An Update is one line of the input of a post-receive hook: a branch, and its
// positions before and after. Old or New is empty if there is none.
type Update struct{ Refname, Old, New string }

// ParseUpdates reads the standard input of a post-receive hook, githooks(5).
// It returns nil if the text is invalid; the caller then compares the branches.
func ParseUpdates(text string) []Update {
	var updates []Update
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 3 || !commit.IsHash(fields[0]) || !commit.IsHash(fields[1]) {
			return nil
		}
		for i, hash := range fields[:2] {
			if strings.Trim(hash, "0") == "" { // there is no commit
				fields[i] = ""
			}
		}
		updates = append(updates, Update{fields[2], fields[0], fields[1]})
	}
	return updates
}

// isNext reports whether a push starts at the known positions. If not, pushes were
// handled in another order, or one was missed, and the caller compares the branches.
func (p *pass) isNext(pushed []Update) bool {
	return !slices.ContainsFunc(pushed, func(u Update) bool {
		position := p.state.Positions[u.Refname]
		return p.repository.wants(u.Refname) && p.state.isCounted(u.Refname) && position != u.Old && position != u.New
	})
}

// walkPushed stores the commits of a push.
func (p *pass) walkPushed(ctx context.Context, pushed []Update) error {
	var updates []Update
	for _, u := range pushed {
		switch {
		case !strings.HasPrefix(u.Refname, "refs/heads/"):
		case u.New == "":
			p.state.forget(u.Refname)
		default:
			updates = append(updates, u)
		}
	}
	ranges, err := p.ranges(ctx, updates, p.state.Positions)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(ranges, func(r vcs.Range) bool { return p.repository.wants(r.Refname) }) {
		p.state.Warnings = nil // a branch counts
	}
	return p.walk(ctx, ranges)
}

// FollowPush is Follow for one repository whose hook has run, with the updates that
// the hook received; nil if it received none.
func (f *Follower) FollowPush(ctx context.Context, r Repository, pushed []Update) Report {
	return f.one(ctx, &r, true, pushed, lockTimeout)
}

// CompletePush stores the commits of one push of which a forge listed only some. The
// positions do not move.
func (f *Follower) CompletePush(ctx context.Context, r Repository, u Update) (Report, error) {
	p, unlock, err := f.begin(ctx, &r, lockTimeout)
	if err != nil {
		return Report{Name: r.Name}, err
	}
	defer unlock()
	if err := p.open(ctx); err != nil {
		return p.report, err
	}
	if _, err := p.repo.Update(ctx, func(name string) bool { return name == u.Refname || r.fetches(name) }); err != nil {
		return p.report, err
	}
	r.FirstParent = false // all that was pushed
	pushed, err := p.pushedRange(ctx, u)
	if err == nil {
		_, err = p.accept(ctx, []vcs.Range{pushed}, nil)
	}
	return p.report, err
}

// pushedRange returns the commits of a push.
func (p *pass) pushedRange(ctx context.Context, u Update) (vcs.Range, error) {
	r := vcs.Range{Refname: u.Refname, New: u.New, Since: []string{u.Old}}
	if u.Old == "" && p.state.Begun {
		return p.newBranch(ctx, u.Refname, u.New)
	}
	there, err := p.repo.Has(ctx, r.Since)
	if err != nil || len(there) > 0 {
		return r, err
	}
	// The start of the push is unknown, and not all of the history is new.
	r.Since, err = p.repo.Has(ctx, p.state.known(""))
	r.After = p.since()
	return r, err
}
