package policy

import (
	"testing"

	"vext/internal/commit"
	"vext/internal/target"
)

func mustTarget(t testing.TB, url string) target.Target {
	t.Helper()
	to, err := target.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// The first matching route counts; without one, a mail is sent.
func TestRouteOf(t *testing.T) {
	p := Policy{
		Names: map[string]string{"acme/src": "src"},
		Routes: []Route{
			{Committers: []string{"jane@*"}, Mail: true},
			{Repositories: []string{"src"}, Branches: []string{"main", "stable/*"}, Targets: []target.Target{mustTarget(t, "irc://h/src")}},
			{Repositories: []string{"src"}, Mail: true, Targets: []target.Target{mustTarget(t, "irc://h/rest")}},
		},
	}
	for _, test := range []struct {
		who, repository, ref string
		mail                 bool
		target               string
	}{
		{"ida@example.org", "src", "refs/heads/main", false, "irc://h/#src"},
		{"ida@example.org", "SRC.git", "refs/heads/stable/15", false, "irc://h/#src"},
		{"ida@example.org", "acme/src", "refs/heads/main", false, "irc://h/#src"},
		{"ida@example.org", "src", "refs/heads/vendor", true, "irc://h/#rest"},
		{"Jane@example.org", "src", "refs/heads/main", true, ""},
		{"ida@example.org", "doc", "refs/heads/main", true, ""},
		{"ida@example.org", "", "", true, ""},
	} {
		c := &commit.Commit{Repository: test.repository, Refname: test.ref, Committer: commit.Person{Email: test.who}}
		got, to := p.RouteOf(c), ""
		for _, one := range got.Targets {
			to += one.String()
		}
		if got.Mail != test.mail || to != test.target {
			t.Errorf("%+v: mail %v, to %q", test, got.Mail, to)
		}
	}
}
