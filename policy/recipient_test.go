package policy

import (
	"strings"
	"testing"

	"vext/internal/commit"
)

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
				if refused := p.Denies(&c); (refused == "") != (test.want != "") || refused == "" && p.Recipient(&c).Email != test.want {
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
	reason := p.DeniesRecipient(commit.Person{Email: "victim@elsewhere.example"}, commit.FromMail)
	if strings.Contains(reason, "allow =") || strings.Count(reason, "victim@elsewhere.example") != 1 || !strings.Contains(reason, "forged") {
		t.Error(reason)
	}
	for source, isPatterns := range map[string]bool{commit.FromWebhook: false, commit.FromHook: true, commit.FromFollow: true, commit.FromImport: true} {
		reason := p.DeniesRecipient(commit.Person{Email: "tom@elsewhere.example"}, source)
		if strings.Contains(reason, "mail") || strings.Contains(reason, "committers = ") != isPatterns {
			t.Errorf("%s: %s", source, reason)
		}
	}
}

// Addresses are compared without regard to case.
func TestAllowFoldsCase(t *testing.T) {
	p := Policy{Allow: []string{"*@FreeBSD.org"}}
	if p.DeniesRecipient(commit.Person{Email: "KIB@freebsd.ORG"}, "") != "" {
		t.Error("addresses are compared with case")
	}
}

// A string that could end an address early, or add one, is not an address.
func TestIsAddress(t *testing.T) {
	for _, s := range []string{"a@b", "a+b@example.org", "-x@b", "jürgen@exämple.org", "a/b@c"} {
		if !isAddress(s) {
			t.Errorf("%q is no address", s)
		}
	}
	for _, s := range []string{"", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\nRCPT TO:<x@y>", "a@b,c@d", "<a@b>", "a@b>", "a@b\x00", `"a b"@c`, "a;b@c", "x%evil.org@b", "evil.org!x@b", "|prog@b", "/etc/x@b", strings.Repeat("a", 255) + "@b"} {
		if isAddress(s) {
			t.Errorf("%q is an address", s)
		}
	}
}
