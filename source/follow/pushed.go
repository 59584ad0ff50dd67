package follow

import (
	"context"
	"slices"
	"strings"
	"time"

	"vext/internal/commit"
	"vext/internal/vcs"
)

// An Update is one line of what git tells a post-receive hook: a branch, where
// it was and where it is. Old or New is empty where there is none.
type Update struct{ Refname, Old, New string }

// ParseUpdates reads the standard input of a post-receive hook, githooks(5).
// It returns nil when that can't be read: then the branches are looked at.
func ParseUpdates(text string) []Update {
	updates := []Update{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 3 || !commit.IsHash(fields[0]) || !commit.IsHash(fields[1]) {
			return nil
		}
		updates = append(updates, Update{fields[2], noZeros(fields[0]), noZeros(fields[1])})
	}
	if len(updates) == 0 {
		return nil
	}
	return updates
}

// noZeros returns "" for the hash by which git says that there is none.
func noZeros(hash string) string {
	if strings.Trim(hash, "0") == "" {
		return ""
	}
	return hash
}

// isNext reports whether a push begins where everything is done up to. One that
// does not has overtaken another, was overtaken by one, or comes after one that
// was missed: then the branches themselves say where they are.
func (p *pass) isNext(pushed []Update) bool {
	return !slices.ContainsFunc(pushed, func(u Update) bool {
		position, known := p.state.Positions[u.Refname]
		return known && p.repository.wants(u.Refname) && position != u.Old && position != u.New
	})
}

// tipsBefore returns the positions of the branches before a push.
func (p *pass) tipsBefore(ctx context.Context, pushed []Update) (map[string]string, error) {
	tips, err := p.repo.Update(ctx, p.fetches)
	if err != nil {
		return nil, err
	}
	for _, u := range pushed {
		if tips[u.Refname] = u.Old; u.Old == "" {
			delete(tips, u.Refname)
		}
	}
	return tips, nil
}

// walkPushed spools what a push has brought.
func (p *pass) walkPushed(ctx context.Context, pushed []Update) error {
	var ranges []vcs.Range
	for _, u := range pushed {
		if !strings.HasPrefix(u.Refname, "refs/heads/") {
			continue
		}
		if !p.repository.wants(u.Refname) {
			told, err := p.toldPushed(ctx, u)
			if err != nil {
				return err
			}
			ranges = append(ranges, told...)
			continue
		}
		old, known := p.state.Positions[u.Refname]
		switch {
		case u.New == "":
			delete(p.state.Positions, u.Refname)
		case old == u.New:
		case !known: // also where the push that made it is still to come
			r, err := p.newBranch(ctx, u.Refname, u.New)
			if err != nil {
				return err
			}
			ranges = append(ranges, r)
		default:
			r, err := p.update(ctx, u.Refname, old, u.New, p.state.Positions)
			if err != nil {
				return err
			}
			ranges = append(ranges, r)
		}
	}
	if slices.ContainsFunc(ranges, func(r vcs.Range) bool { return p.repository.wants(r.Refname) }) {
		p.state.Warnings = nil // there is a branch that counts
	}
	return p.walk(ctx, ranges)
}

// hookWait is how long a hook waits for the one before it.
const hookWait = time.Minute

// FollowPush looks after a repository whose hook was run, with what that was told,
// nil when it was told nothing.
func (f *Follower) FollowPush(ctx context.Context, r Repository, pushed []Update) Report {
	return f.one(ctx, &r, true, pushed, hookWait)
}

// CompletePush spools the commits of one push that were not listed where it was told
// of. It leaves the positions as they are.
func (f *Follower) CompletePush(ctx context.Context, r Repository, u Update) (Report, error) {
	report := Report{Name: r.Name}
	unlock, err := f.Store.Lock(ctx, r.Name, hookWait)
	if err != nil {
		return report, err
	}
	defer unlock()
	state, err := f.Store.Load(r.Name)
	if err != nil {
		return report, err
	}
	p := pass{Follower: f, repository: &r, state: state, report: &report}
	p.telling = p.isTelling()
	if p.repo, err = p.open(ctx); err != nil {
		return report, err
	}
	if _, err := p.repo.Update(ctx, func(name string) bool { return name == u.Refname || r.wants(name) }); err != nil {
		return report, err
	}
	r.FirstParent = false // all that was pushed
	pushed, err := p.pushedRange(ctx, u)
	if err != nil {
		return report, err
	}
	n, err := p.repo.Walk(ctx, p.log([]vcs.Range{pushed}), p.take)
	report.Commits = n
	if err == nil {
		err = p.flush()
	}
	if err == nil {
		err = p.announce(ctx)
	}
	return report, err
}

// pushedRange returns what a push has brought, by what was told of it.
func (p *pass) pushedRange(ctx context.Context, u Update) (vcs.Range, error) {
	r := vcs.Range{Refname: u.Refname, New: u.New, Since: []string{u.Old}}
	if u.Old == "" && p.state.Begun {
		return p.newBranch(ctx, u.Refname, u.New)
	}
	there, err := p.repo.Has(ctx, r.Since)
	if err != nil || len(there) > 0 {
		return r, err
	}
	// Nobody knows where it began: all of history is not new.
	r.Since, err = p.repo.Has(ctx, p.known())
	r.After = p.since()
	return r, err
}
