package backport

import (
	"context"
	"errors"
	"slices"
)

func newTarget(name string, state State) Target {
	return Target{Branch: name, State: state, Files: []string{}, Needs: []string{}}
}

// Look implements Looker.
func (g *looker) Look(ctx context.Context, questions []Question, apply bool) ([]Report, error) {
	reports := make([]Report, len(questions))
	asked := make([]*lookedAt, len(questions))
	for i := range questions {
		asked[i] = g.lookAt(&questions[i], &reports[i])
	}
	if err := g.patches.find(ctx, asked); err != nil {
		return nil, err
	}
	if apply {
		var jobs []*applyJob
		for _, a := range asked {
			jobs = append(jobs, g.jobs(a)...)
		}
		if err := g.apply(ctx, jobs); err != nil {
			return nil, err
		}
	}
	for _, a := range asked {
		a.report.Command = g.commands(a)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) { // apply has used the time, and what is known is said
		ctx = context.WithoutCancel(ctx)
	}
	return reports, g.describe(ctx, reports, nil)
}

// A lookedAt is a commit that is looked at.
type lookedAt struct {
	question *Question
	report   *Report
	commit   int32 // -1 if it is not in the repository
	fixes    []fixOf
}

// lookAt answers what the lines of messages say.
func (g *looker) lookAt(q *Question, r *Report) *lookedAt {
	a := &lookedAt{question: q, report: r, commit: -1}
	*r = Report{Revision: q.Revision, Targets: []Target{}, Fixes: []Fix{}}
	if at, ok := g.index.find(q.Revision); ok {
		a.commit = at
		a.fixes = g.fixesOf(at, q.Marks)
		if by, gone := g.development.gone[at]; gone {
			r.Reverted = &Revert{By: g.index.commits[by].hash}
		}
	}
	for _, name := range q.Targets {
		r.Targets = append(r.Targets, g.stateOf(a.commit, name, a))
	}
	for _, f := range a.fixes {
		fix := Fix{Revision: g.index.commits[f.fix].hash, Fixes: g.index.commits[f.of].hash, Targets: []Target{}}
		for _, name := range q.Targets {
			fix.Targets = append(fix.Targets, g.stateOf(f.fix, name, a))
		}
		r.Fixes = append(r.Fixes, fix)
	}
	return a
}

// stateOf returns the state of a commit on a branch by what persons and the lines of
// messages say. What is not merged has the state Unknown without a reason.
func (g *looker) stateOf(commit int32, name string, a *lookedAt) Target {
	t := newTarget(name, Unknown)
	b := g.target(name)
	switch {
	case commit < 0:
		t.Why = "the commit is not in the repository"
	case b == nil:
		t.Why = "there is no branch of that name"
	default:
		if by, ok := b.merged(commit); ok {
			t.State, t.By = Merged, g.index.commits[by].hash
			return t
		}
	}
	t.mark(slices.DeleteFunc(slices.Clone(a.question.Marks), func(m Mark) bool { return !g.isAbout(&m, commit, a.commit) }))
	return t
}

// mark sets what persons have said of a target.
func (t *Target) mark(marks []Mark) {
	for _, m := range marks {
		if m.Target != "" && m.Target != t.Branch {
			continue
		}
		switch m.Kind {
		case MarkDone:
			t.State, t.Who, t.Since, t.Why = Merged, m.Who, m.Since, "said to be done"
		case MarkNotWanted:
			t.State, t.Who, t.Since, t.Why = NotWanted, m.Who, m.Since, "said to be not wanted"
		}
	}
}

// isOpen reports whether nobody has found out yet that there is nothing to merge.
func (t *Target) isOpen() bool {
	switch t.State {
	case Merged, ProbablyMerged, NotWanted, NothingToDo:
		return false
	}
	return true
}

// jobs returns the test picks for a commit and its fixes, one job for each target.
func (g *looker) jobs(a *lookedAt) []*applyJob {
	var jobs []*applyJob
	if a.commit < 0 || a.report.Reverted != nil {
		return nil
	}
	for i, name := range a.question.Targets {
		b := g.target(name)
		if b == nil {
			continue
		}
		merged := func(revision string) bool {
			at, ok := g.index.find(revision)
			if ok {
				_, ok = b.merged(at)
			}
			return ok
		}
		job := &applyJob{tip: b.tip, merged: merged}
		add := func(t *Target, revision string) {
			if t.isOpen() {
				job.targets, job.commits = append(job.targets, t), append(job.commits, revision)
			}
		}
		add(&a.report.Targets[i], g.index.commits[a.commit].hash)
		for j := range a.fixes {
			add(&a.report.Fixes[j].Targets[i], a.report.Fixes[j].Revision)
		}
		if len(job.commits) > 0 {
			jobs = append(jobs, job)
		}
	}
	return jobs
}
