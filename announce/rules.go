package announce

import (
	"vext/internal/commit"
	"vext/internal/target"
	"vext/queue"
)

// A Rule says which commits are told where. Patterns are those of a
// queue.Policy; an empty list takes all.
type Rule struct {
	Repositories, Branches []string
	To                     []string // URLs, as target.Parse takes them
	Template               string   // of a line; "" for notice.txt
	Colors                 string   // mirc, ansi or none; "" for none
	Max                    int      // commits of one push that are told one by one
}

// DefaultMax is how many commits of one push are told one by one.
const DefaultMax = 3

// matches reports whether the rule is about a branch of a repository. A commit
// of which nobody knows the branch matches, as it does for reminders.
func (r *Rule) matches(p *queue.Policy, repository, refname string) bool {
	return p.HasRepository(r.Repositories, repository) && (commit.BranchName(refname) == "" || queue.MatchBranch(r.Branches, refname))
}

// Matcher returns what reports whether a rule is about a branch of a repository,
// by any of the repository's names.
func Matcher(p *queue.Policy, rules []Rule) func(repository, refname string) bool {
	return func(repository, refname string) bool {
		for i := range rules {
			if rules[i].matches(p, repository, refname) {
				return true
			}
		}
		return false
	}
}

// sameTarget is what two URLs of one target have in common.
func sameTarget(url string) string {
	t, err := target.Parse(url)
	if err != nil { // the outlet will say so
		return url
	}
	return t.String()
}
