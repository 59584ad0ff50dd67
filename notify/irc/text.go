package irc

import (
	"strings"
	"unicode/utf8"

	"vext/internal/text"
	"vext/notify"

	"github.com/clipperhouse/uax29/v2/graphemes"
)

// lines returns the lines of a text as they may be sent: UTF-8 without
// what would end a command (CR, LF, NUL), without CTCP's delimiter, and without
// empty ones. The codes of colours and of ANSI terminals are kept.
func lines(text string) []string {
	var all []string
	for line := range strings.FieldsFuncSeq(strings.ToValidUTF8(text, "\ufffd"), endsLine) {
		line = strings.TrimRight(strings.Map(cleaned, line), " ")
		if strings.TrimSpace(notify.Plain(line)) != "" {
			all = append(all, line)
		}
	}
	return all
}

func endsLine(r rune) bool {
	return r == '\n' || r == '\r' || r == '\v' || r == '\f' || r == '\u0085' || r == '\u2028' || r == '\u2029'
}

// cleaned maps control characters to blanks, or to nothing.
func cleaned(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case strings.ContainsRune(codes, r):
		return r
	case text.IsControl(r):
		return -1
	}
	return r
}

// codes are the control characters that clients understand: bold, colour, hex
// colour, reset, monospace, reverse, italics, strike-through, underline, and
// the escape of ANSI sequences.
const codes = "\x02\x03\x04\x0f\x11\x16\x1d\x1e\x1f\x1b"

// split cuts a line into pieces of at most n bytes: at a blank where there is
// one, never inside what a reader takes for one character.
func split(line string, n int) []string {
	n = max(n, utf8.UTFMax)
	var pieces []string
	for len(line) > n {
		piece, rest := cut(line, n)
		if strings.Trim(piece, " ") != "" {
			pieces = append(pieces, strings.TrimRight(piece, " "))
		}
		line = strings.TrimLeft(rest, " ")
	}
	if line != "" {
		pieces = append(pieces, line)
	}
	return pieces
}

// cut returns the first piece of a line that is longer than n bytes, and what
// is left.
func cut(line string, n int) (piece, rest string) {
	if i := strings.LastIndexByte(line[:n+1], ' '); i > 0 && strings.Trim(line[:i], " ") != "" {
		return line[:i], line[i+1:]
	}
	end := 0
	for clusters := graphemes.FromString(line); clusters.Next() && clusters.End() <= n; {
		end = clusters.End()
	}
	for _, code := range notify.Codes.FindAllStringIndex(line, -1) {
		if code[0] > 0 && code[0] < end && end < code[1] {
			end = code[0]
		}
	}
	if end == 0 { // one character of many marks
		for end = n; end > 0 && !utf8.RuneStart(line[end]); {
			end--
		}
	}
	return line[:end], line[end:]
}

// shorten returns a line of at most n bytes, which shows that it was cut.
func shorten(line string, n int) string {
	if len(line) <= n {
		return line
	}
	piece, _ := cut(line, n-len(ellipsis))
	return piece + ellipsis
}

const ellipsis = "..."
