package notice

import (
	"fmt"
	"strings"
	"testing"

	"vext/internal/commit"
)

// A mail keeps a hook from announcing a commit only where it names repository
// and branch, and the same; a hook keeps every mail from it.
func TestTrustedAfterForgeable(t *testing.T) {
	of := func(source, repository, refname, revision string) commit.Arrival {
		c := arrival(revision, "s")
		c.Source, c.Repository, c.Refname = source, repository, refname
		return c
	}
	const main = "refs/heads/main"
	hook := of(commit.FromHook, "src", main, hashA)
	told := func(c *commit.Arrival) string {
		return "src: " + strings.Join([]string{"jane", c.Repository, c.Branch(), c.Short(), "s"}, " ")
	}
	for _, test := range []struct {
		name          string
		first, second commit.Arrival
		again         bool // the second is announced, too
	}{
		{"a mail, then its hook", of("", "src", "main", hashA), hook, false},
		{"one that cuts the hash off", of("", "src", "main", hashA[:12]), hook, false},
		{"the JSON of a stranger", of(commit.FromJSON, "src", main, hashA), hook, false},
		{"no repository and no branch", of("", "", "", hashA), hook, true},
		{"no repository", of("", "", "main", hashA), hook, true},
		{"no branch", of("", "src", "", hashA), hook, true},
		{"another repository", of("", "fork", "main", hashA), hook, true},
		{"neither names a branch", of("", "src", "", "r7"), of(commit.FromHook, "src", "", "r7"), true},
		{"two mails", of("", "", "", hashA), of("", "src", main, hashA), false},
		{"a hook, then a mail", hook, of("", "", "", hashA), false},
		{"a webhook, then a hook", of(commit.FromWebhook, "src", "", hashA), hook, false},
	} {
		for _, together := range []bool{true, false} {
			d := newDesk(t)
			want, second := told(&test.first), ""
			if test.again {
				second = told(&test.second)
			}
			d.hand(test.first)
			if !together {
				d.tells(test.name, want)
				want = second
			} else if second != "" {
				want += "\n" + second
			}
			d.hand(test.second)
			d.tells(fmt.Sprintf("%s, together %v", test.name, together), want)
			d.restart()
			d.hand(test.second)
			d.tells(test.name+", the second again", "")
		}
	}
}
