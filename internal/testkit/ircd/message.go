package ircd

import "strings"

// A Message is a line of IRC (RFC 2812, section 2.3.1, with IRCv3's tags).
type Message struct {
	Tags    map[string]string // as they stand, escapes and all
	From    string            // the nick, or the server's name
	Command string            // in upper case, or a number of three digits
	Params  []string
}

// Param returns a parameter, "" when there are not so many.
func (m *Message) Param(i int) string {
	if i < len(m.Params) {
		return m.Params[i]
	}
	return ""
}

// parse reads a line without its end.
func parse(line string) Message {
	m := Message{Tags: map[string]string{}}
	if rest, ok := strings.CutPrefix(line, "@"); ok {
		tags, after, _ := strings.Cut(rest, " ")
		for tag := range strings.SplitSeq(tags, ";") {
			key, value, _ := strings.Cut(tag, "=")
			m.Tags[key] = value
		}
		line = strings.TrimLeft(after, " ")
	}
	if rest, ok := strings.CutPrefix(line, ":"); ok {
		prefix, after, _ := strings.Cut(rest, " ")
		m.From, _, _ = strings.Cut(prefix, "!")
		line = after
	}
	head, last, hasLast := strings.Cut(line, " :")
	fields := strings.Fields(head)
	if len(fields) > 0 {
		m.Command, m.Params = strings.ToUpper(fields[0]), fields[1:]
	}
	if hasLast {
		m.Params = append(m.Params, last)
	}
	return m
}
