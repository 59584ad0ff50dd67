package announce

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

// What anybody can have written silences nothing that nobody can forge where it
// was announced as something else, or only counted.
func TestForgedSubject(t *testing.T) {
	const long = "net: fix the order of the arguments of every function"
	for _, test := range []struct {
		name, forged, subject string
		again                 bool
	}{
		{"the same", "foo: fix bar", "foo: fix bar", false},
		{"folded", "foo: fix\tbar ", "foo: fix bar", false},
		{"cut off", long[:40] + "...", long, false},
		{"another", "foo: owned", "foo: fix bar", true},
		{"none", "", "foo: fix bar", true},
	} {
		for _, together := range []bool{true, false} {
			d := newDesk(t)
			mail, hook := arrival(hashA, test.forged), arrival(hashA, test.subject)
			mail.Source = ""
			said := ""
			d.hand(mail)
			if !together {
				d.look(t.Context())
				said = d.outlet.said() + "\n"
			}
			d.hand(hook)
			d.look(t.Context())
			got := len(strings.Fields(strings.ReplaceAll(said+d.outlet.said(), " ", "_")))
			if got != 1 && !test.again || got != 2 && test.again {
				t.Errorf("%s, together %v: %d announced", test.name, together, got)
			}
		}
	}
}
