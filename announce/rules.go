package announce

import (
	"vext/internal/commit"
	"vext/internal/target"
	"vext/policy"
)

// A Rule says which commits are announced to which targets. Patterns are those of a
// policy.Policy; an empty list matches everything.
type Rule struct {
	Repositories, Branches []string
	To                     []string // URLs, as target.Parse takes them
	Template               string   // of a message; "" for announcement.txt
	Colors                 string   // mirc, ansi or none; "" for none
	Max                    int      // commits of one push that get a message each
}

// DefaultMax is the default of Rule.Max.
const DefaultMax = 3

// matches reports whether the rule applies to a branch of a repository. A commit
// without a branch matches, as it does for reminders.
func (r *Rule) matches(p *policy.Policy, repository, refname string) bool {
	return p.HasRepository(r.Repositories, repository) && (commit.BranchName(refname) == "" || policy.MatchBranch(r.Branches, refname))
}

// Matcher returns a function that reports whether any rule applies to a branch of a
// repository, which may have any of its names.
func Matcher(p *policy.Policy, rules []Rule) func(repository, refname string) bool {
	return func(repository, refname string) bool {
		for i := range rules {
			if rules[i].matches(p, repository, refname) {
				return true
			}
		}
		return false
	}
}

// sameTarget returns the same string for all URLs of one target.
func sameTarget(url string) string {
	t, err := target.Parse(url)
	if err != nil { // the outbox will report it
		return url
	}
	return t.String()
}
