package irc

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"vext/notify"
)

func TestLines(t *testing.T) {
	for text, want := range map[string][]string{
		"":                            nil,
		"one":                         {"one"},
		"one\ntwo\r\nthree\n":         {"one", "two", "three"},
		"a\rQUIT :b":                  {"a", "QUIT :b"},
		"a\x00b":                      {"ab"},
		"\x01ACTION waves\x01":        {"ACTION waves"},
		"a\tb":                        {"a b"},
		"a\xffb":                      {"a\ufffdb"},
		"a\u2028b":                    {"a", "b"},
		"\x0303green\x0f \x02bold":    {"\x0303green\x0f \x02bold"},
		"\x1b[1mbold\x1b[0m":          {"\x1b[1mbold\x1b[0m"},
		" \n\x02\x0f\n\u00a0\n":       nil,
		"  indented":                  {"  indented"},
		"\x7f\u009bcontrols\x08\x1a.": {"controls."},
	} {
		if got := lines(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestPlain(t *testing.T) {
	for line, want := range map[string]string{
		"\x02src:\x0f \x0303jane\x0f 1": "src: jane 1", "\x0301,02a\x03": "a", "\x0412abEFb": "b", "\x1b[1;32mx\x1b[0m": "x", "plain": "plain",
	} {
		if got := notify.Plain(line); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestSplit(t *testing.T) {
	for _, test := range []struct {
		line string
		n    int
		want []string
	}{
		{"short", 10, []string{"short"}},
		{"one two three", 8, []string{"one two", "three"}},
		{"one two three", 7, []string{"one two", "three"}},
		{"onetwothree", 4, []string{"onet", "woth", "ree"}},
		{"a bbbbbbbbbb", 6, []string{"a", "bbbbbb", "bbbb"}},
		{"€€€", 4, []string{"€", "€", "€"}},
		{"€€€", 7, []string{"€€", "€"}},
		{"ae\u0301e\u0301", 4, []string{"ae\u0301", "e\u0301"}}, // letters with marks of their own
		{"e" + strings.Repeat("\u0301", 4), 4, []string{"e\u0301", "\u0301\u0301", "\u0301"}},
		{"    indented", 6, []string{"    in", "dented"}},
	} {
		if got := split(test.line, test.n); !slices.Equal(got, test.want) {
			t.Errorf("%q at %d: %q, want %q", test.line, test.n, got, test.want)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("one two three", 8)
	f.Add("€€€ e\u0301", 4)
	f.Add("👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 20)
	f.Fuzz(func(t *testing.T, text string, n int) {
		n = 4 + (n&0x7fffffff)%500
		for _, line := range lines(text) {
			pieces := split(line, n)
			for _, piece := range pieces {
				if len(piece) > n || piece == "" || !utf8.ValidString(piece) || strings.ContainsAny(piece, "\r\n\x00\x01") {
					t.Errorf("%q at %d: %q", line, n, piece)
				}
			}
			squeeze := func(s string) string { return strings.ReplaceAll(s, " ", "") }
			if squeeze(strings.Join(pieces, "")) != squeeze(line) {
				t.Errorf("%q at %d: %q: something is lost", line, n, pieces)
			}
		}
	})
}
