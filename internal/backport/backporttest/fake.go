package backporttest

import (
	"context"
	"slices"
	"strings"
	"sync"

	"vext/internal/backport"
	"vext/internal/commit"
)

// A Fake is a Looker that answers what a test has set. All methods may be called at the
// same time.
type Fake struct {
	mu       sync.Mutex
	branches []string
	reports  map[string]*backport.Report
	asking   []*commit.Commit
	dangling map[string][]backport.Fix
	err      error
	updates  int
	asked    []backport.Question
}

// NewFake returns a Looker of a repository with these branches, and without commits.
func NewFake(branches ...string) *Fake {
	return &Fake{branches: branches, reports: map[string]*backport.Report{}, dangling: map[string][]backport.Fix{}}
}

// SetTarget sets the state of a commit on one branch, and so makes the commit known.
func (f *Fake) SetTarget(revision string, t backport.Target) {
	f.change(revision, func(r *backport.Report) {
		r.Targets = slices.DeleteFunc(r.Targets, func(old backport.Target) bool { return old.Branch == t.Branch })
		r.Targets = append(r.Targets, t)
	})
}

// SetReverted sets what has reverted a commit; nil for nothing.
func (f *Fake) SetReverted(revision string, by *backport.Revert) {
	f.change(revision, func(r *backport.Report) { r.Reverted = by })
}

// AddFix adds a fix of a commit, behind those that it has.
func (f *Fake) AddFix(revision string, fix backport.Fix) {
	f.change(revision, func(r *backport.Report) { r.Fixes = append(r.Fixes, fix) })
}

func (f *Fake) change(revision string, change func(*backport.Report)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.reports[revision]
	if r == nil {
		r = &backport.Report{Revision: revision}
		f.reports[revision] = r
	}
	change(r)
}

// AddAsking adds commits that Asking returns.
func (f *Fake) AddAsking(commits ...*commit.Commit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asking = append(f.asking, commits...)
}

// AddDangling adds fixes that Dangling returns for a target.
func (f *Fake) AddDangling(target string, fixes ...backport.Fix) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dangling[target] = append(f.dangling[target], fixes...)
}

// Fail makes every later call return err; nil ends that.
func (f *Fake) Fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// Updates returns how often Update was called.
func (f *Fake) Updates() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.updates
}

// Asked returns all questions that Look was called with.
func (f *Fake) Asked() []backport.Question {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

// Update implements backport.Looker.
func (f *Fake) Update(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.updates++
	return f.failure(ctx)
}

func (f *Fake) failure(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.err
}

// Branches implements backport.Looker.
func (f *Fake) Branches() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.branches)
}

// Find implements backport.Looker. It finds what AddAsking has added.
func (f *Fake) Find(ctx context.Context, revision string) (*commit.Commit, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found *commit.Commit
	for _, c := range f.asking {
		if strings.HasPrefix(c.Revision, revision) {
			if found != nil {
				return nil, f.failure(ctx)
			}
			found = c
		}
	}
	return found, f.failure(ctx)
}

// Look implements backport.Looker.
func (f *Fake) Look(ctx context.Context, questions []backport.Question, apply bool) ([]backport.Report, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, questions...)
	if err := f.failure(ctx); err != nil {
		return nil, err
	}
	reports := make([]backport.Report, len(questions))
	for i, q := range questions {
		reports[i] = f.answer(q, apply)
	}
	return reports, nil
}

// answer returns the report for one question.
func (f *Fake) answer(q backport.Question, apply bool) backport.Report {
	known := f.reports[q.Revision]
	if known == nil {
		known = &backport.Report{}
	}
	report := backport.Report{
		Revision: q.Revision, Targets: answerTargets(q, known.Targets, apply), Reverted: known.Reverted, Fixes: []backport.Fix{},
	}
	for _, fix := range known.Fixes {
		isFix := func(m backport.Mark) bool { return m.Kind == backport.MarkNotAFix && m.Other == fix.Revision }
		if !slices.ContainsFunc(q.Marks, isFix) {
			fix.Targets = answerTargets(backport.Question{Targets: q.Targets}, fix.Targets, apply)
			report.Fixes = append(report.Fixes, fix)
		}
	}
	report.Command = commands(&report)
	return report
}

// answerTargets returns the states on the targets of a question, of which known are some.
func answerTargets(q backport.Question, known []backport.Target, apply bool) []backport.Target {
	targets := make([]backport.Target, len(q.Targets))
	for i, branch := range q.Targets {
		t := backport.Target{State: backport.Unknown, Why: "the repository does not have it"}
		if at := slices.IndexFunc(known, func(k backport.Target) bool { return k.Branch == branch }); at >= 0 {
			t = known[at]
		}
		t.Branch, t.Files, t.Needs = branch, slices.Clone(t.Files), slices.Clone(t.Needs)
		if isPending(t.State) && !apply {
			t.State, t.Files, t.Needs = backport.Unknown, nil, nil
		}
		for _, m := range q.Marks {
			states := map[backport.MarkKind]backport.State{backport.MarkDone: backport.Merged, backport.MarkNotWanted: backport.NotWanted}
			if state := states[m.Kind]; state != "" && (m.Target == "" || m.Target == branch) {
				t = backport.Target{Branch: branch, State: state, Who: m.Who, Since: m.Since}
			}
		}
		t.Files, t.Needs = append([]string{}, t.Files...), append([]string{}, t.Needs...)
		targets[i] = t
	}
	return targets
}

// isPending reports whether a state is one that only a test pick finds out.
func isPending(s backport.State) bool {
	return s == backport.Clean || s == backport.Conflict || s == backport.NothingToDo
}

// commands returns the commands of git that merge a commit with its fixes.
func commands(r *backport.Report) map[string]string {
	if r.Reverted != nil {
		return nil
	}
	commands := map[string]string{}
	for _, t := range r.Targets {
		isOpen := t.State == backport.Clean || t.State == backport.Conflict || t.State == backport.Unknown && t.Why == ""
		if !isOpen {
			continue
		}
		picks := append(slices.Clone(t.Needs), r.Revision)
		for _, fix := range r.Fixes {
			if !slices.Contains(picks, fix.Revision) {
				picks = append(picks, fix.Revision)
			}
		}
		commands[t.Branch] = "git cherry-pick -x " + strings.Join(picks, " ")
	}
	return commands
}

// Asking implements backport.Looker.
func (f *Fake) Asking(ctx context.Context, _ []string) ([]*commit.Commit, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asking), f.failure(ctx)
}

// Dangling implements backport.Looker.
func (f *Fake) Dangling(ctx context.Context, target string) ([]backport.Fix, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.dangling[target]), f.failure(ctx)
}
