package xmpp

import (
	"strings"
	"unicode/utf8"

	"vext/internal/text"
	"vext/notify"
)

// maxBody bounds one message, in bytes: servers need to accept stanzas of 10,000 bytes (RFC
// 6120, section 13.12), in which a quote takes six.
const maxBody = 6000

// clean returns a text as it may be sent: UTF-8 without colours, without control characters
// other than \n and tab, and without what XML can't contain. It keeps the lines, and blanks
// in front of them.
func clean(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\r\n", "\n")
	s = text.Clean(strings.ReplaceAll(notify.Plain(s), "\r", "\n"))
	s = strings.Map(func(r rune) rune {
		if r == '\ufffe' || r == '\uffff' {
			return -1
		}
		return r
	}, s)
	var lines []string
	for line := range strings.SplitSeq(s, "\n") {
		lines = append(lines, strings.TrimRight(line, " \t"))
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// split cuts a text into pieces of at most n bytes, at a line end where there is one, or
// else at a blank.
func split(s string, n int) (pieces []string) {
	for len(s) > n {
		end := strings.LastIndexByte(s[:n], '\n')
		if end <= 0 {
			end = strings.LastIndexByte(s[:n], ' ')
		}
		if end <= 0 {
			for end = n; !utf8.RuneStart(s[end]); {
				end--
			}
		}
		if piece := strings.TrimSpace(s[:end]); piece != "" {
			pieces = append(pieces, strings.TrimRight(s[:end], " \n"))
		}
		if s = s[end:]; s[0] == ' ' {
			s = s[1:]
		}
		s = strings.TrimLeft(s, "\n")
	}
	if strings.TrimSpace(s) != "" {
		pieces = append(pieces, s)
	}
	return pieces
}
