package backport

import (
	"slices"
	"strings"

	"vext/internal/vcs"
)

// commands returns the command for each branch on which there is something to merge: what
// each commit needs before it, the commit, and its fixes in the order of the development
// branch. It is the order in which apply has tried them.
func (g *looker) commands(a *lookedAt) map[string]string {
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
				at, ok := g.index.find(need)
				if at == a.commit && !a.report.Targets[i].isOpen() { // a person has said that it is done
					continue
				}
				if ok && !slices.Contains(commits, at) {
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

// command returns the command that merges commits to the branch that is checked out.
func (g *looker) command(commits []int32) string {
	switch g.o.Kind {
	case vcs.Hg:
		return "hg graft " + strings.Join(g.hashes(commits), " ")
	case vcs.Svn:
		return "svn merge -c " + strings.Join(g.hashes(commits), ",") + " ^/" + g.developmentOf(commits[0])
	}
	return g.cherryPick(commits)
}

func (g *looker) hashes(commits []int32) []string {
	var all []string
	for _, at := range commits {
		all = append(all, g.index.commits[at].hash)
	}
	return all
}

// developmentOf returns the development branch that has a commit.
func (g *looker) developmentOf(commit int32) string {
	for _, name := range g.developmentNames {
		if g.index.reachable(g.heads[name]).has(commit) {
			return name
		}
	}
	return ""
}

// cherryPick returns the command of git. A merge needs one of its own, with the parent that it
// is compared with (git-cherry-pick(1), -m).
func (g *looker) cherryPick(commits []int32) string {
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
