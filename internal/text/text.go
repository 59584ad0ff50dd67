// Package text makes what strangers write fit to be shown: on one line, without
// what could end a header field or steer a terminal, and not too long.
package text

import (
	"strings"
	"unicode/utf8"
)

// IsControl reports whether r is a control character (C0, DEL, C1), one of
// Unicode's own line ends, or one that turns the direction of a text, with which
// its end can be made to look like its beginning (UAX #9, section 2).
func IsControl(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// OneLine returns s with blanks for control characters, and none around it.
func OneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if IsControl(r) {
			return ' '
		}
		return r
	}, s))
}

// JoinLines returns the lines of s as one, with semicolons between them.
func JoinLines(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// Clean returns s without control characters but \n and tabs.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && IsControl(r) {
			return -1
		}
		return r
	}, s)
}

// Shorten cuts s to n bytes, at a character, and shows that it did.
func Shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
