package follow

import (
	"cmp"
	"context"
	"time"

	"vext/internal/commit"
	"vext/internal/history"
	"vext/internal/vcs"
)

// A commit that was rebased, or amended in its message below the subject, has a
// successor: a commit with the same subject, author, author date and change. Only
// the successor gets a reminder. A commit with another subject or change is a
// different commit.

// An identity is what an amended or rebased commit keeps, apart from its change.
type identity struct {
	subject string
	author  commit.Person
	date    int64
}

func identityOf(c *commit.Commit) identity {
	return identity{c.Subject, c.Author, c.AuthorDate.Unix()}
}

// maxPairs bounds the commits whose changes are compared after one forced
// update.
const maxPairs = 1000

// maxCompareFailures is how many looks in a row may fail because changes cannot be
// compared. Later looks do without the comparison, because the server may never
// provide the commits that are gone.
const maxCompareFailures = 3

// A pair is a commit that is gone, and its possible successor.
type pair struct {
	gone int // the index of the commit that is gone
	by   commit.Commit
}

// findSuccessors returns the commits that are gone, each with its successor in a range,
// if there is one, and the number of successors. Without one, the reminder says that the
// commit is gone.
func (p *pass) findSuccessors(ctx context.Context, gone []commit.Commit, r vcs.Range) (found []VanishedCommit, n int, err error) {
	found = make([]VanishedCommit, len(gone))
	for i := range gone {
		found[i] = VanishedCommit{Time: p.Queue.Now, Revision: gone[i].Revision, Branch: gone[i].Branch()}
	}
	git, ok := p.repo.(vcs.GitRepository)
	if !ok || len(gone) == 0 {
		return found, 0, nil
	}
	pairs, err := p.pairs(ctx, gone, r)
	var patches map[string]string
	if err == nil && len(pairs) > 0 {
		var revisions []string
		for _, pair := range pairs {
			revisions = append(revisions, gone[pair.gone].Revision, pair.by.Revision)
		}
		patches, err = git.Patches(ctx, revisions)
	}
	switch {
	case err != nil && (ctx.Err() != nil || p.state.Failures < maxCompareFailures):
		return found, 0, err
	case err != nil:
		p.note("cannot find out which commits were amended or rebased: %v", err)
		return found, 0, nil
	}
	taken := map[string]bool{}
	for _, pair := range pairs {
		was, is := gone[pair.gone].Revision, pair.by.Revision
		if patches[was] != patches[is] || found[pair.gone].Successor != "" || taken[is] {
			continue
		}
		found[pair.gone].Successor, taken[is] = is, true
		if pair.by.Date.Before(r.After) { // the range leaves it out
			p.successors = append(p.successors, commit.Arrival{Commit: pair.by})
		}
	}
	return found, len(taken), nil
}

// pairs returns the possible successors of commits that are gone. When a range leaves
// commits out by their dates, because a history was rewritten, a pair counts only if
// the reminder of the commit that is gone is in the queue.
func (p *pass) pairs(ctx context.Context, gone []commit.Commit, r vcs.Range) ([]pair, error) {
	wanted := map[identity][]int{}
	keys := make([]string, len(gone))
	for i := range gone {
		id := identityOf(&gone[i])
		wanted[id] = append(wanted[id], i)
		keys[i] = commit.MakeKey(cmp.Or(p.repository.As, p.repository.Name), gone[i].Revision)
	}
	after := r.After
	isWaiting := func(i int) bool { return true }
	if !after.IsZero() {
		known, err := p.Queue.History.Lookup(nil, keys)
		if err != nil {
			return nil, err
		}
		waits := func(s *history.State) bool { return s.Queued != nil && !s.Done }
		isWaiting = func(i int) bool {
			return waits(known.Commit(keys[i]).Believed()) || waits(&known.Commit(keys[i]).Claimed)
		}
	}
	r.After = time.Time{}
	var pairs []pair
	log := vcs.Log{Ranges: []vcs.Range{r}, FirstParent: p.repository.FirstParent, Match: p.Filter.Trailers.Ask}
	_, err := p.repo.Walk(ctx, log, func(c *commit.Commit) error {
		candidates := wanted[identityOf(c)]
		if len(candidates) == 0 || len(pairs) >= maxPairs || !p.counts(c) {
			return nil
		}
		for _, i := range candidates {
			if !c.Date.Before(after) || isWaiting(i) {
				pairs = append(pairs, pair{i, *c})
			}
		}
		return nil
	})
	return pairs, err
}
