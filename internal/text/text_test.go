package text

import "testing"

func TestOneLine(t *testing.T) {
	for s, want := range map[string]string{
		"a\r\nBcc: b": "a  Bcc: b", " a\x1b[31m ": "a [31m", "a\u0085b\u2028c": "a b c", "ünï": "ünï", "\x00": "", "a\u202eb\u2066c": "a b c",
	} {
		if got := OneLine(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func TestClean(t *testing.T) {
	if got := Clean("a\tb\r\n\x1b[31mc\u2029\x7f\n"); got != "a\tb\n[31mc\n" {
		t.Errorf("%q", got)
	}
}

func TestShorten(t *testing.T) {
	for n, want := range map[int]string{10: "aüb", 4: "aüb", 3: "aü…", 2: "a…", 1: "a…", 0: "…"} {
		if got := Shorten("aüb", n); got != want {
			t.Errorf("to %d: %q, want %q", n, got, want)
		}
	}
}

func TestJoinLines(t *testing.T) {
	for s, want := range map[string]string{"": "", "a": "a", "a\nb\n": "a; b", "a\r\n\n  b c\n": "a; b c"} {
		if got := JoinLines(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
