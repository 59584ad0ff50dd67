package backport

import (
	"cmp"
	"context"
	"slices"

	"vext/internal/vcs"
)

// maxNeeds bounds the commits that are tried before a commit that conflicts.
const maxNeeds = 5

// A conflicted is a job whose commit conflicts, and what could make it apply.
type conflicted struct {
	job     *applyJob
	choices [][]string // each in the order of the development branch
}

// findNeeds finds the commits after which those that conflict apply, and sets Needs: the last
// ones that changed the same lines, else those that changed the same files, else the fixes.
// Only what is not merged to the branch counts. It is one step: what these need, and do not
// bring, is not looked for.
func (g *looker) findNeeds(ctx context.Context, p *picker, jobs []*applyJob) {
	all := make([]*conflicted, len(jobs))
	for i, job := range jobs {
		all[i] = &conflicted{job: job}
	}
	each(all, func(c *conflicted) { g.findChoices(ctx, p, c) })
	var commits, tips []string
	for _, c := range all {
		commits, tips = append(commits, slices.Concat(c.choices...)...), append(tips, c.job.tip)
	}
	if len(commits) == 0 {
		return
	}
	commits = distinct(commits)
	if p.know(ctx, commits) != nil {
		return // then nothing is said of needs
	}
	p.fetch(ctx, commits, distinct(tips))
	each(all, func(c *conflicted) { p.tryChoices(ctx, c) })
}

// findChoices finds what could make a commit apply.
func (g *looker) findChoices(ctx context.Context, p *picker, c *conflicted) {
	job := c.job
	files, hash := job.targets[0].Files, job.commits[0]
	change, _ := p.change(hash)
	if len(files) == 0 || len(files) > maxNeedsFiles {
		return
	}
	touching, err := p.scratch.Touching(ctx, job.tip, hash, files, maxTouching)
	touching = slices.DeleteFunc(touching, job.merged)
	if err == nil && len(touching) > 0 {
		if g.o.URL.IsZero() { // without blobs, the history of lines can't be read
			c.add(g, g.touchingLines(ctx, p, job, change))
		}
		c.add(g, touching)
	}
	c.add(g, slices.Clone(job.commits[1:]))
}

// Bounds of what is read about a conflict.
const (
	maxNeedsFiles = 10 // files that conflict
	maxTouching   = 50 // commits that changed them
)

// touchingLines returns the commits that were the last to change the lines of a conflict.
func (g *looker) touchingLines(ctx context.Context, p *picker, job *applyJob, change vcs.Change) []string {
	var found []string
	for _, path := range job.targets[0].Files {
		hashes, err := p.scratch.TouchingLines(ctx, job.tip, job.commits[0], change, path)
		if err != nil {
			return nil
		}
		found = append(found, slices.DeleteFunc(hashes, job.merged)...)
	}
	return distinct(found)
}

// add adds a choice, unless it is too large, empty or there already.
func (c *conflicted) add(g *looker, commits []string) {
	if len(commits) == 0 || len(commits) > maxNeeds {
		return
	}
	place := func(hash string) int32 { at, _ := g.index.find(hash); return at }
	slices.SortFunc(commits, func(a, b string) int { return cmp.Compare(place(a), place(b)) })
	if !slices.ContainsFunc(c.choices, func(other []string) bool { return slices.Equal(other, commits) }) {
		c.choices = append(c.choices, commits)
	}
}

// tryChoices sets Needs to the first choice after which the commit applies, without those
// commits of it that are not necessary.
func (p *picker) tryChoices(ctx context.Context, c *conflicted) {
	tip, _ := p.change(c.job.tip)
	suffice := func(needs []string) bool {
		tree, ok := p.chain(ctx, tip.Tree, needs)
		return ok && p.pick(ctx, tree, c.job.commits[0]).state == Clean
	}
	for _, needs := range c.choices {
		if !suffice(needs) {
			continue
		}
		for i := len(needs) - 1; i >= 0; i-- {
			if fewer := slices.Delete(slices.Clone(needs), i, i+1); len(fewer) > 0 && suffice(fewer) {
				needs = fewer
			}
		}
		c.job.targets[0].Needs = needs
		return
	}
}
