package announce

import (
	"fmt"
	"strings"
	"testing"

	"vext/internal/commit"
)

// After a mail, a hook does not announce a commit when both name the same repository
// and branch. After a hook, no mail announces it.
func TestTrustedAfterForgeable(t *testing.T) {
	of := func(source, repository, refname, revision string) commit.Arrival {
		c := arrival(revision, "s")
		c.Source, c.Repository, c.Refname = source, repository, refname
		return c
	}
	const main = "refs/heads/main"
	hook := of(commit.FromHook, "src", main, hashA)
	announced := func(c *commit.Arrival) string {
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
			d := newFixture(t)
			want, second := announced(&test.first), ""
			if test.again {
				second = announced(&test.second)
			}
			d.arrive(test.first)
			if !together {
				d.expect(test.name, want)
				want = second
			} else if second != "" {
				want += "\n" + second
			}
			d.arrive(test.second)
			d.expect(fmt.Sprintf("%s, together %v", test.name, together), want)
			d.restart()
			d.arrive(test.second)
			d.expect(test.name+", the second again", "")
		}
	}
}

// A forged announcement with another subject, or that was only counted, does not
// silence a trusted source.
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
			d := newFixture(t)
			mail, hook := arrival(hashA, test.forged), arrival(hashA, test.subject)
			mail.Source = ""
			said := ""
			d.arrive(mail)
			if !together {
				d.announceAll(t.Context())
				said = d.outbox.taken() + "\n"
			}
			d.arrive(hook)
			d.announceAll(t.Context())
			got := len(strings.Fields(strings.ReplaceAll(said+d.outbox.taken(), " ", "_")))
			if got != 1 && !test.again || got != 2 && test.again {
				t.Errorf("%s, together %v: %d announced", test.name, together, got)
			}
		}
	}
}
