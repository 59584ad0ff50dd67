package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// RemoveRepository removes the table of a repository from the text, by its name in
// the table. Comments on lines of their own stay, even those in the table. It
// changes nothing if the rest of the configuration would have another meaning
// afterwards.
func (e *Edit) RemoveRepository(name string) error {
	before, err := e.Parse(nil)
	if err != nil {
		return err
	}
	n := slices.IndexFunc(before.Repositories, func(r Repository) bool { return r.Name == name })
	if n < 0 {
		return fmt.Errorf("no [[repository]] has the name %q", name)
	}
	after := Edit{text: without(statements(e.text), n), Private: e.Private}
	want := *before
	want.Repositories = slices.Delete(slices.Clone(before.Repositories), n, n+1)
	if len(want.Repositories) == 0 {
		want.Repositories = nil
	}
	is, err := after.Parse(nil)
	if err == nil {
		want.Hints = is.Hints // with other line numbers
	}
	if err != nil || !reflect.DeepEqual(is, &want) {
		return fmt.Errorf("repository %s is not written as a table [[repository]] of its own; remove it by hand", name)
	}
	*e = after
	return nil
}

// without returns the text of statements without the n-th [[repository]] and one
// of the blank lines around it.
func without(all []statement, n int) string {
	var b strings.Builder
	inside, wasBlank := false, true
	for _, s := range all {
		if s.header != "" {
			inside = s.header == "[[repository]]" && n == 0
			if s.header == "[[repository]]" {
				n--
			}
		}
		isBlank := strings.TrimSpace(s.text) == ""
		isComment := strings.HasPrefix(strings.TrimSpace(s.text), "#")
		if inside && !isComment && !isBlank || isBlank && wasBlank && (inside || b.Len() == 0) {
			continue
		}
		wasBlank = isBlank
		b.WriteString(s.text)
	}
	text := b.String()
	if trimmed := strings.TrimRight(text, "\n"); inside && trimmed != "" { // it was the last
		return trimmed + "\n"
	}
	return text
}

// A statement is a part of a TOML file: a blank line, a comment on a line of its
// own, the header of a table, or a key with its value.
type statement struct {
	text   string // whole lines
	header string // of a table, as it is written without blanks and quotes; else ""
}

// statements splits the text of a file. A value can be of several lines: a list,
// or a string between three quotes (TOML 1.0, String, Array).
func statements(text string) []statement {
	var all []statement
	var open scanner
	var b strings.Builder
	for line := range strings.Lines(text) {
		s := statement{}
		if start := strings.TrimSpace(line); b.Len() == 0 && strings.HasPrefix(start, "[") {
			head, _, _ := strings.Cut(start, "#")
			s.header = strings.NewReplacer(" ", "", "\t", "", `"`, "", "'", "").Replace(head)
		}
		b.WriteString(line)
		open.line(line)
		if s.header == "" && open.inside() {
			continue
		}
		open = scanner{}
		s.text = b.String()
		b.Reset()
		all = append(all, s)
	}
	if b.Len() > 0 {
		all = append(all, statement{text: b.String()})
	}
	return all
}

// A scanner tracks whether a value continues on the next line.
type scanner struct {
	depth int    // of brackets and braces
	quote string // three open quotes, else ""
}

func (s *scanner) inside() bool { return s.depth > 0 || s.quote != "" }

func (s *scanner) line(line string) {
	for i := 0; i < len(line); {
		rest := line[i:]
		switch {
		case s.quote != "":
			switch {
			case s.quote == `"""` && rest[0] == '\\':
				i++
			case strings.HasPrefix(rest, s.quote):
				for i += 2; strings.HasPrefix(line[i+1:], s.quote[:1]); i++ { // """" ends with a quote of its own
				}
				s.quote = ""
			}
			i++
		case rest[0] == '#':
			return
		case strings.HasPrefix(rest, `"""`), strings.HasPrefix(rest, "'''"):
			s.quote = rest[:3]
			i += 3
		case rest[0] == '"' || rest[0] == '\'':
			i += 1 + stringEnd(rest[1:], rest[0])
		default:
			switch rest[0] {
			case '[', '{':
				s.depth++
			case ']', '}':
				s.depth--
			}
			i++
		}
	}
}

// stringEnd returns the length of a string on one line with the quote that ends
// it.
func stringEnd(s string, quote byte) int {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quote == '"':
			i++
		case s[i] == quote:
			return i + 1
		}
	}
	return len(s)
}
