package backport

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"
)

// An applyJob is a question whether commits apply to a branch, one after the other: the asked
// commit, unless it is merged, and its fixes that are not.
type applyJob struct {
	tip     string
	commits []string
	targets []*Target // of each commit, whose state is to be set
	merged  func(revision string) bool
}

// picksAtOnce is how many test picks are made at the same time: each is a process.
const picksAtOnce = 2

// each calls fn for every item, picksAtOnce at the same time.
func each[T any](items []T, fn func(T)) {
	var group errgroup.Group
	group.SetLimit(picksAtOnce)
	for _, item := range items {
		group.Go(func() error {
			fn(item)
			return nil
		})
	}
	group.Wait()
}

// apply sets the states of targets by test picks. A pick that can't be made is Unknown.
func (g *looker) apply(ctx context.Context, jobs []*applyJob) error {
	if len(jobs) == 0 {
		return nil
	}
	var commits, tips []string
	for _, job := range jobs {
		commits, tips = append(commits, job.commits...), append(tips, job.tip)
	}
	commits, tips = distinct(commits), distinct(tips)
	p, err := newPicker(ctx, g.history, distinct(append(slices.Clone(commits), tips...)))
	if err != nil {
		for _, job := range jobs {
			job.unknown(whyNot(ctx, err))
		}
		return canceled(ctx)
	}
	p.fetch(ctx, commits, tips)
	each(jobs, func(job *applyJob) { p.decideFirst(ctx, job) })
	conflicts := slices.DeleteFunc(slices.Clone(jobs), func(job *applyJob) bool { return job.targets[0].State != Conflict })
	g.findNeeds(ctx, p, conflicts)
	each(jobs, func(job *applyJob) { p.decideRest(ctx, job) })
	return errors.Join(canceled(ctx), p.close())
}

// canceled returns the error of a context that was canceled. The end of the time is no error:
// what was not looked at by then is Unknown.
func canceled(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return nil
}

func distinct(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

func (job *applyJob) unknown(why string) {
	for _, t := range job.targets {
		t.State, t.Why = Unknown, why
	}
}

// decideFirst sets the state of the first commit of a job, picked to the tip of the branch.
func (p *picker) decideFirst(ctx context.Context, job *applyJob) {
	tip, known := p.change(job.tip)
	if !known {
		job.unknown("not looked at: the repository lacks the branch or its parent")
		return
	}
	p.pick(ctx, tip.Tree, job.commits[0]).set(job.targets[0])
}

// set sets the state of a target.
func (one *picked) set(t *Target) {
	t.State, t.Why = one.state, one.why
	t.Files = append([]string{}, one.files...)
}

// decideRest sets the states of the other commits of a job, the fixes, each picked behind the
// ones before it. Behind a conflict that nothing resolves, the state of a fix is that on the
// branch as it is.
func (p *picker) decideRest(ctx context.Context, job *applyJob) {
	tip, known := p.change(job.tip)
	if !known {
		return
	}
	tree := tip.Tree
	for i, t := range job.targets {
		if i > 0 {
			p.pick(ctx, tree, job.commits[i]).set(t)
		}
		if next, applies := p.chain(ctx, tree, append(slices.Clone(t.Needs), job.commits[i])); applies {
			tree = next
		}
	}
}
