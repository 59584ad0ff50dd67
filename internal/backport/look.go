package backport

import (
	"context"
	"errors"
	"slices"
	"strings"
)

func newTarget(name string, state State) Target {
	return Target{Branch: name, State: state, Files: []string{}, Needs: []string{}}
}

// Look implements Looker.
func (g *gitLooker) Look(ctx context.Context, questions []Question, apply bool) ([]Report, error) {
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
func (g *gitLooker) lookAt(q *Question, r *Report) *lookedAt {
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
func (g *gitLooker) stateOf(commit int32, name string, a *lookedAt) Target {
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
	for _, m := range a.question.Marks {
		if m.Target != "" && m.Target != name || !g.isAbout(&m, commit, a.commit) {
			continue
		}
		switch m.Kind {
		case MarkDone:
			t.State, t.Who, t.Since, t.Why = Merged, m.Who, m.Since, "said to be done"
		case MarkNotWanted:
			t.State, t.Who, t.Since, t.Why = NotWanted, m.Who, m.Since, "said to be not wanted"
		}
	}
	return t
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
func (g *gitLooker) jobs(a *lookedAt) []*applyJob {
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

// commands returns the command for each branch on which there is something to merge: what
// each commit needs before it, the commit, and its fixes in the order of the development
// branch. It is the order in which apply has tried them.
func (g *gitLooker) commands(a *lookedAt) map[string]string {
	all := map[string]string{}
	if a.commit < 0 || a.report.Reverted != nil {
		return nil
	}
	for i, name := range a.question.Targets {
		var commits []int32
		add := func(t *Target, commit int32) {
			if g.target(name) == nil || !t.isOpen() {
				return
			}
			for _, need := range t.Needs {
				if at, ok := g.index.find(need); ok && !slices.Contains(commits, at) {
					commits = append(commits, at)
				}
			}
			if !slices.Contains(commits, commit) {
				commits = append(commits, commit)
			}
		}
		add(&a.report.Targets[i], a.commit)
		for j, f := range a.fixes {
			add(&a.report.Fixes[j].Targets[i], f.fix)
		}
		if len(commits) > 0 {
			all[name] = g.command(commits)
		}
	}
	return all
}

// command returns the command that picks commits. A merge needs one of its own, with the
// parent that it is compared with (git-cherry-pick(1), -m).
func (g *gitLooker) command(commits []int32) string {
	var all []string
	before := false
	for _, at := range commits {
		c := &g.index.commits[at]
		switch {
		case c.isMerge:
			all = append(all, "git cherry-pick -x -m 1 "+c.hash)
		case before:
			all[len(all)-1] += " " + c.hash
		default:
			all = append(all, "git cherry-pick -x "+c.hash)
		}
		before = !c.isMerge
	}
	return strings.Join(all, " && ")
}
