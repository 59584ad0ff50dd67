package policy

import (
	"testing"

	"vext/internal/commit"
)

func TestLeft(t *testing.T) {
	p := Policy{Allow: []string{"*@example.org"}, Left: map[string]string{"jane": "team@example.org", "team": "team@example.org"}}
	for _, test := range []struct{ committer, want string }{
		{"jane@example.org", "team@example.org"},
		{"JANE@Example.org", "team@example.org"},
		{"ida@example.org", "ida@example.org"},
		{"team@example.org", "team@example.org"},
		{"jane@elsewhere.example", "jane@elsewhere.example"}, // may not be written to, and causes no mail
		{"", ""},
	} {
		c := &commit.Commit{Committer: commit.Person{Name: "J", Email: test.committer}}
		if got := p.Recipient(c); got.Email != test.want {
			t.Errorf("%s: %v, want %s", test.committer, got, test.want)
		}
		if p.HasLeft(c) != (test.want != test.committer) {
			t.Errorf("%s: has left: %t", test.committer, p.HasLeft(c))
		}
		if got := p.Person(c).Email; got != test.committer {
			t.Errorf("the person of %s is %s", test.committer, got)
		}
	}
	p.Allow = nil
	if got := p.Recipient(&commit.Commit{Committer: commit.Person{Email: "jane@example.org"}}); got.Email != "jane@example.org" {
		t.Errorf("without allow: %v", got)
	}
}
