package backport

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"vext/internal/commit"
	"vext/internal/vcs"
	"vext/internal/weburl"
)

// A looker is the Looker of git, hg and svn. What hg and svn record of merges beside the
// messages, vcs.History writes as lines of these.
type looker struct {
	o       Options
	history vcs.History
	reader  *reader
	index   *index

	heads            map[string]string // the commits of all branches, by their names
	development      *branch           // all development branches
	developmentNames []string          // sorted
	fixers           map[int32][]int32
	targets          map[string]*branch
	patches          *patches
}

func newLooker(o Options) (*looker, error) {
	at := o.URL
	if o.Kind == vcs.Hg { // its copy is complete
		at = weburl.URL{}
	}
	repository, err := vcs.Open(o.Kind, o.Dir, at)
	if err != nil {
		return nil, err
	}
	if o.Tracks != nil && o.Kind == vcs.Git {
		repository = vcs.OpenTracking(o.Dir, o.Tracks)
	}
	history, ok := repository.(vcs.History)
	if !ok {
		return nil, fmt.Errorf("%s: what became of its commits is not known for repositories of %s", o.Dir, o.Kind)
	}
	if len(o.Rules.Picked)+len(o.Rules.Reverts)+len(o.Rules.Fixes)+len(o.Rules.With) == 0 {
		o.Rules = Default
	}
	o.Rules = o.Rules.with(recorded[o.Kind])
	return &looker{o: o, history: history, reader: newReader(o.Rules)}, nil
}

// Update implements Looker.
func (g *looker) Update(ctx context.Context) error {
	if g.index == nil {
		g.index = load(g.o.Cache, g.o.cacheID())
	}
	refs, err := g.history.Heads(ctx)
	if err != nil {
		return err
	}
	n, err := g.index.scan(ctx, g.history, slices.Sorted(maps.Values(refs)), g.reader, g.o.Asks)
	if err != nil {
		return err
	}
	if n > 0 {
		g.index.save(g.o.Cache, g.o.cacheID()) // without it, the next process scans again
	}
	g.heads, g.targets = map[string]string{}, map[string]*branch{}
	var tips, names []string
	for refname, tip := range refs {
		g.heads[commit.BranchName(refname)] = tip
		if g.o.IsDevelopment != nil && g.o.IsDevelopment(refname) {
			tips, names = append(tips, tip), append(names, commit.BranchName(refname))
		}
	}
	slices.Sort(names)
	g.developmentNames = names
	g.development = g.index.newBranch(tips, nil)
	g.fixers = g.index.fixers(g.development)
	if g.patches == nil {
		g.patches = loadPatches(g)
	}
	return nil
}

// Branches implements Looker.
func (g *looker) Branches() []string { return slices.Sorted(maps.Keys(g.heads)) }

// Find implements Looker.
func (g *looker) Find(ctx context.Context, revision string) (*commit.Commit, error) {
	at, ok := g.index.find(revision)
	if !ok {
		return nil, nil
	}
	hash := g.index.commits[at].hash
	commits, err := g.history.Commits(ctx, []string{hash})
	return commits[hash], err
}

// Tags implements Tagged.
func (l *looker) Tags(ctx context.Context, hash string) (containing []string, hasTags bool, err error) {
	git, ok := l.history.(vcs.GitRepository)
	if !ok {
		return nil, false, nil
	}
	return git.Tags(ctx, hash)
}

// target returns a branch, nil if there is none of that name.
func (g *looker) target(name string) *branch {
	b, known := g.targets[name]
	if !known {
		if tip, ok := g.heads[name]; ok {
			b = g.index.newBranch([]string{tip}, g.development.has)
		}
		g.targets[name] = b
	}
	return b
}

// Asking implements Looker.
func (g *looker) Asking(ctx context.Context, targets []string) ([]*commit.Commit, error) {
	var hashes []string
	for at := range int32(len(g.index.commits)) {
		c := &g.index.commits[at]
		if !c.asks || !g.development.has.has(at) {
			continue
		}
		isEverywhere := len(targets) > 0 && !slices.ContainsFunc(targets, func(name string) bool {
			b := g.target(name)
			return b == nil || !b.has.has(at)
		})
		if !isEverywhere {
			hashes = append(hashes, c.hash)
		}
	}
	commits, err := g.history.Commits(ctx, hashes)
	if err != nil {
		return nil, err
	}
	all := make([]*commit.Commit, 0, len(hashes))
	for _, hash := range hashes {
		if c := commits[hash]; c != nil {
			all = append(all, c)
		}
	}
	return all, nil
}

// Dangling implements Looker.
func (g *looker) Dangling(ctx context.Context, target string) ([]Fix, error) {
	b := g.target(target)
	if b == nil {
		return nil, fmt.Errorf("no branch %s", target)
	}
	var all []Fix
	for at := range int32(len(g.index.commits)) {
		by, isMerged := b.picks[at]
		if !isMerged || by == at {
			continue
		}
		for _, fix := range g.fixers[at] {
			_, isThere := b.merged(fix)
			_, gone := g.development.gone[fix]
			if !isThere && !gone && !g.index.commits[fix].asks {
				all = append(all, Fix{
					Revision: g.index.commits[fix].hash, Fixes: g.index.commits[at].hash,
					Targets: []Target{newTarget(target, Unknown)},
				})
			}
		}
	}
	return all, g.describe(ctx, nil, all)
}

// describe completes what a report says of other commits: who made them, when, and their
// subjects.
func (g *looker) describe(ctx context.Context, reports []Report, dangling []Fix) error {
	named := map[string]bool{}
	each := func(fn func(*Target), fix func(*Fix), revert func(*Revert)) {
		fixes := func(list []Fix) {
			for i := range list {
				fix(&list[i])
				for j := range list[i].Targets {
					fn(&list[i].Targets[j])
				}
			}
		}
		for i := range reports {
			for j := range reports[i].Targets {
				fn(&reports[i].Targets[j])
			}
			if reports[i].Reverted != nil {
				revert(reports[i].Reverted)
			}
			fixes(reports[i].Fixes)
		}
		fixes(dangling)
	}
	each(func(t *Target) { named[t.By] = true }, func(f *Fix) { named[f.Revision] = true }, func(r *Revert) { named[r.By] = true })
	delete(named, "")
	commits, err := g.history.Commits(ctx, slices.Sorted(maps.Keys(named)))
	if err != nil {
		return err
	}
	each(func(t *Target) {
		if c := commits[t.By]; c != nil {
			t.Who, t.Since = committerOf(c), c.Date
		}
	}, func(f *Fix) {
		if c := commits[f.Revision]; c != nil {
			f.Subject, f.Who = c.Subject, committerOf(c)
		}
	}, func(r *Revert) {
		if c := commits[r.By]; c != nil {
			r.Who, r.Since = committerOf(c), c.Date
		}
	})
	return nil
}

// committerOf returns how a committer is called: the login, else the name.
func committerOf(c *commit.Commit) string {
	if login := c.Committer.Login(); login != "" && !c.Committer.IsRobot() {
		return login
	}
	return c.Committer.Name
}
