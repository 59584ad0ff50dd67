package queue

import (
	"os"
	"strings"
	"testing"

	"vext/internal/commit"
	"vext/internal/history"
)

// A mail without a known committer is quarantined. vext never writes to a mailing list
// or a program, whatever allow says.
func TestRecipientOfMails(t *testing.T) {
	for file, want := range map[string]string{
		"github-one":         "jane@example.org",
		"llvm":               "",
		"llvm-robot":         "",
		"llvm-from":          "jane@example.org",
		"llvm-address":       "jane@example.org",
		"git-notifier":       "jane@example.org",
		"list-munged":        "ida@example.org",
		"list-google":        "ida@example.org",
		"list-cc":            "ida@example.org",
		"list-unnamed-reply": "ida@example.org",
		"list-invalid":       "ida@example.org",
		"list-robot":         "ida@example.org",
		"list-wrapped":       "ida@example.org",
		"list-body":          "jane@example.org",
		"list-other-reply":   "",
		"list-encoded":       "",
		"list-to":            "",
		"list-footer-parts":  "ida@example.org",
	} {
		data, err := os.ReadFile("../testdata/mails/" + file + ".eml")
		if err != nil {
			t.Fatal(err)
		}
		q := newQueue(t)
		q.Policy.Allow = []string{"*"}
		q.Policy.Branches = []string{"*"}
		if _, err := q.Spool.Put("a@b", data); err != nil {
			t.Fatal(err)
		}
		plan, err := q.Plan(nil)
		if err != nil || len(plan) != 1 {
			t.Fatalf("%s: %+v, %v", file, plan, err)
		}
		got := plan[0].Event
		switch {
		case want == "" && (got.Kind != history.Failed || got.Address != "" || !strings.Contains(got.Reason, "no recipient: ")):
			t.Errorf("%s: %s, to %q: %s", file, got.Kind, got.Address, got.Reason)
		case want != "" && (got.Kind != history.Queued || got.Address != want):
			t.Errorf("%s: %s, to %q: %s", file, got.Kind, got.Address, got.Reason)
		}
	}
}

// A program is never a recipient, for any source. When one is the committer, the author
// is reminded.
func TestRobots(t *testing.T) {
	for _, test := range []struct{ committer, author, want string }{
		{"jane@example.org", "ida@example.org", "jane@example.org"},
		{"noreply@github.com", "ida@example.org", "ida@example.org"},
		{"gitlab@example.org", "ida@example.org", "ida@example.org"},
		{"noreply@github.com", "noreply@github.com", ""},
		{"1+jane@users.noreply.github.com", "1+jane@users.noreply.github.com", ""},
		{"1+jane@users.noreply.github.com", "ida@example.org", "ida@example.org"},
		{"x[bot]@example.org", "x[bot]@example.org", ""},
	} {
		for _, source := range []string{"", commit.FromJSON, commit.FromWebhook, commit.FromHook, commit.FromFollow, commit.FromImport} {
			for _, allow := range [][]string{{"*"}, {test.committer, test.author}} {
				p := Policy{Allow: allow}
				c := commit.Commit{Committer: commit.Person{Email: test.committer}, Author: commit.Person{Email: test.author}, Source: source}
				if refused := p.refuses(&c); (refused == "") != (test.want != "") || refused == "" && p.Recipient(&c).Email != test.want {
					t.Errorf("%+v by %q: %q", test, source, refused)
				}
			}
		}
	}
}

// The advice about a stranger's address warns, and does not give the line that allows
// it.
func TestAdviceForStranger(t *testing.T) {
	p := Policy{Allow: []string{"*@example.org"}}
	reason := p.Refuses(commit.Person{Email: "victim@elsewhere.example"}, commit.FromMail)
	if strings.Contains(reason, "allow =") || strings.Count(reason, "victim@elsewhere.example") != 1 || !strings.Contains(reason, "forged") {
		t.Error(reason)
	}
	for source, isPatterns := range map[string]bool{commit.FromWebhook: false, commit.FromHook: true, commit.FromFollow: true, commit.FromImport: true} {
		reason := p.Refuses(commit.Person{Email: "tom@elsewhere.example"}, source)
		if strings.Contains(reason, "mail") || strings.Contains(reason, "committers = ") != isPatterns {
			t.Errorf("%s: %s", source, reason)
		}
	}
}
