package text

import "testing"

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		pattern, s string
		want       bool
	}{
		{"*@freebsd.org", "kib@freebsd.org", true}, {"kib@*", "kib@x", true}, {"*", "", true}, {"*", "a/b", true},
		{"stable/*", "stable/14", true}, {"stable/*", "stable", false}, {"a*b*c", "axxbxxc", true}, {"a*b*c", "axxbxx", false},
		{"?", "a", true}, {"?", "ä", true}, {"?x", "ä", false}, {"?", "", false}, {"", "", true}, {"", "a", false}, {"a", "ab", false}, {"**", "x", true},
		{"*@freebsd.org", "kib@freebsd.org.evil.example", false}, {"*.org", "x.org.org", true},
	} {
		if got := Match(test.pattern, test.s); got != test.want {
			t.Errorf("Match(%q, %q) = %v", test.pattern, test.s, got)
		}
	}
}
