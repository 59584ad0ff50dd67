package config

import (
	"fmt"
	"strings"
)

// renamed lists the names that earlier versions gave to a table, or to a key of
// a table. A file with these names is still read.
var renamed = []struct{ table, old, new string }{
	{"", "notice", "announce"},
	{"", "recipient", "route"},
	{"announce", "most", "max_commits"},
}

// withNewNames returns the text of a configuration with the present names in
// place of the old ones, on the same lines, and a hint for each line changed.
// Tables with the old and with the new name keep their order.
func withNewNames(text string) (string, []string) {
	var b strings.Builder
	var hints []string
	table, line := "", 1
	for _, s := range statements(text) {
		name, of := strings.Trim(s.header, "[]"), ""
		if s.header == "" {
			name, of = s.key(), table
		}
		for _, r := range renamed {
			if r.table == of && r.old == name {
				s.text, name = strings.Replace(s.text, r.old, r.new, 1), r.new
				before, after := r.old, r.new
				if r.table == "" {
					before, after = "[["+before+"]]", "[["+after+"]]"
				}
				hints = append(hints, fmt.Sprintf("line %d: %s is now %s; the old name is still read", line, before, after))
				break
			}
		}
		if s.header != "" {
			table = name
		}
		line += strings.Count(s.text, "\n")
		b.WriteString(s.text)
	}
	return b.String(), hints
}

// key returns the key that a statement sets, without quotes; "" for a comment
// or a blank line.
func (s *statement) key() string {
	key, _, _ := strings.Cut(s.text, "=")
	if key = strings.TrimSpace(key); strings.HasPrefix(key, "#") {
		return ""
	}
	return strings.Trim(key, `"'`)
}
