package main

import (
	"strings"

	"github.com/spf13/pflag"

	"vext/internal/commit"
	"vext/internal/history"
	"vext/policy"
)

// A choice says which reminders a list or a log shows. An empty field selects
// all of them.
type choice struct{ committer, repository, branch string }

func (c *choice) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.committer, "committer", "", "only what is for `NAME`: a login, an address, or a part of the name")
	flags.StringVar(&c.repository, "repository", "", "only what is of the repository `NAME`, or of those that match a pattern")
	flags.StringVar(&c.branch, "branch", "", "only what is on the branch `NAME`, or on those that match a pattern")
}

// takes reports whether the choice includes the reminder of an event.
func (c *choice) takes(p *policy.Policy, e *history.Event) bool {
	return (c.committer == "" || isCommitter(e, c.committer)) &&
		(c.repository == "" || p.HasRepository([]string{c.repository}, e.Repository)) &&
		(c.branch == "" || policy.MatchBranch([]string{c.branch}, e.Branch))
}

// words says which reminders the choice takes, with a blank behind it: "of
// repository src ". It is empty for one that takes all.
func (c *choice) words() string {
	text := ""
	for _, part := range []struct{ before, name string }{
		{"for committer ", c.committer}, {"of repository ", c.repository}, {"on branch ", c.branch},
	} {
		if part.name != "" {
			text += part.before + printable(part.name) + " "
		}
	}
	return text
}

func isCommitter(e *history.Event, who string) bool {
	if strings.EqualFold(e.Address, who) || strings.EqualFold(commit.Login(e.Address), who) {
		return true
	}
	return strings.Contains(strings.ToLower(e.Committer), strings.ToLower(who))
}
