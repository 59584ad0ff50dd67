package backport

import "context"

// An applyJob is a question whether commits apply to a target.
type applyJob struct {
	target  *Target
	tip     string
	commits []string // the asked commit, then its unmerged fixes, in order
	merged  func(revision string) bool
}

// apply sets the states of targets by test picks.
func (g *gitLooker) apply(_ context.Context, jobs []*applyJob) error {
	for _, job := range jobs {
		job.target.Why = "no test pick was made"
	}
	return nil
}
