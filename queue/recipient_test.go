package queue

import (
	"os"
	"strings"
	"testing"

	"vext/internal/history"
	"vext/internal/target"
	"vext/policy"
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

// A reminder for an address that is not allowed can go to IRC, where a route says so,
// and nowhere else.
func TestAllowIsForMails(t *testing.T) {
	src, err := target.Parse("irc://h/src")
	if err != nil {
		t.Fatal(err)
	}
	irc := []target.Target{src}
	for _, test := range []struct {
		routes []policy.Route
		want   string
	}{
		{nil, history.Failed},
		{[]policy.Route{{Targets: irc}}, history.Queued},
		{[]policy.Route{{Targets: irc, Mail: true}}, history.Failed},
		{[]policy.Route{{Targets: irc, Repositories: []string{"other"}}}, history.Failed},
	} {
		q := newQueue(t)
		q.Policy.Routes = test.routes
		put(t, q, mail{id: "a", from: "x@elsewhere.example"})
		plan, err := q.Plan(nil)
		if err != nil || len(plan) != 1 || plan[0].Event.Kind != test.want {
			t.Errorf("%+v: %+v, %v; want %s", test.routes, plan, err, test.want)
		}
	}
}
