package backport

import (
	"bytes"
	"slices"
	"strings"

	"vext/internal/commit"
	"vext/internal/vcs"
)

// A relation is how a commit names another.
type relation byte

// The relations, as the cache has them.
const (
	picks   relation = 'p' // it has merged the other
	reverts relation = 'r'
	fixes   relation = 'f'
	goes    relation = 'w' // it is to be merged with the other
)

// A reference is another commit that a message names.
type reference struct {
	relation relation
	revision string // a hash, which may be abbreviated, or r and a number
}

// Default are the rules of FreeBSD, git, Linux and systemd together. No project uses one of
// these lines for something else.
var Default = Rules{
	Picked: []string{
		"(cherry picked from commit", "(cherry-picked from commit", "[ Upstream commit", "commit %s upstream",
		"MFC of", "MFC:", "MFC", "MFS of", "MFS:", "MFS", "MFH of", "MFH:", "MFH",
	},
	Reverts: []string{"This reverts commit", "This reverts commits", "Revert commit", "Backed out changeset"},
	Fixes:   []string{"Fixes", "Follow-up for", "Follow-up to", "Followup for", "Followup to", "Fixup", "Fixup for", "This fixes"},
	With:    []string{"MFC with", "MFC-with", "X-MFC-With", "X-MFC with"},
}

// recorded are the rules for what hg and svn record beside the messages (see vcs.History), and
// for the lines of their users.
var recorded = map[vcs.Kind]Rules{
	vcs.Hg:  {Picked: []string{"(grafted from"}, Reverts: []string{"Backed out changeset", "Back out"}},
	vcs.Svn: {Picked: []string{"(merged from"}, Reverts: []string{"(reverse-merged", "Revert", "Reverts", "Back out", "Backout", "Backed out"}},
}

// with returns the rules with further ones.
func (r Rules) with(more Rules) Rules {
	return Rules{
		slices.Concat(r.Picked, more.Picked), slices.Concat(r.Reverts, more.Reverts),
		slices.Concat(r.Fixes, more.Fixes), slices.Concat(r.With, more.With),
	}
}

// A reader reads references. It is made once from Rules.
type reader struct {
	lines    []line
	initials [256]bool // of the beginnings, in both cases
}

// A line is how a line of a message begins that names commits.
type line struct {
	relation relation
	begins   string // in lower case
	behind   string // what must stand behind the commit, in lower case; usually empty
}

// newReader returns a reader for rules. The longest of several beginnings counts.
func newReader(rules Rules) *reader {
	r := &reader{}
	for _, group := range []struct {
		relation relation
		patterns []string
	}{{picks, rules.Picked}, {reverts, rules.Reverts}, {fixes, rules.Fixes}, {goes, rules.With}} {
		for _, pattern := range group.patterns {
			begins, behind, _ := strings.Cut(strings.ToLower(pattern), "%s")
			if begins = strings.TrimSpace(begins); begins == "" {
				continue // it would be every line
			}
			r.lines = append(r.lines, line{group.relation, begins, strings.TrimSpace(behind)})
			r.initials[begins[0]] = true
			r.initials[strings.ToUpper(begins[:1])[0]] = true
		}
	}
	slices.SortStableFunc(r.lines, func(a, b line) int { return len(b.begins) - len(a.begins) })
	return r
}

// references returns the commits that a message names, each once. Only lines that begin in
// the first column count: what is indented or behind ">" is quoted.
func (r *reader) references(message []byte) []reference {
	var all []reference
	for len(message) > 0 {
		text, rest, _ := bytes.Cut(message, []byte("\n"))
		message = rest
		if len(text) == 0 || !r.initials[text[0]] {
			continue
		}
		for _, l := range r.lines {
			revisions := l.read(text)
			for _, revision := range revisions {
				if one := (reference{l.relation, revision}); !slices.Contains(all, one) && len(all) < maxReferences {
					all = append(all, one)
				}
			}
			if len(revisions) > 0 {
				break
			}
		}
	}
	return all
}

// maxReferences bounds the references of one commit. A squashed pick can have many.
const maxReferences = 200

// read returns the commits that a line names behind its beginning.
func (l *line) read(text []byte) []string {
	if len(text) < len(l.begins) || !strings.EqualFold(string(text[:len(l.begins)]), l.begins) {
		return nil
	}
	rest := text[len(l.begins):]
	if len(rest) == 0 || isWord(rest[0]) {
		return nil // a longer word
	}
	var revisions []string
	for {
		token, after := cutToken(rest)
		switch revision := revisionOf(token); {
		case revision != "":
			if rest = after; l.behind != "" && !hasPrefixFold(bytes.TrimLeft(after, " \t"), l.behind) {
				return nil
			}
			revisions = append(revisions, revision)
		case isJoint(token) && len(after) > 0:
			rest = after
		default:
			return revisions
		}
	}
}

// isWord reports whether a byte continues a word or a trailer's name.
func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// cutToken returns the next word of letters and digits, and what is behind it.
func cutToken(s []byte) (token string, rest []byte) {
	s = bytes.TrimLeft(s, " \t:,([")
	n := 0
	for n < len(s) && (isWord(s[n]) || s[n] == '#') {
		n++
	}
	if n == 0 && len(s) > 0 {
		n = 1
	}
	return strings.ToLower(string(s[:n])), s[n:]
}

// isJoint reports whether a word may stand before a commit or between two.
func isJoint(word string) bool {
	switch word {
	case "commit", "commits", "revision", "rev", "changeset", "and", "&", "the":
		return true
	}
	return false
}

// minAbbreviated is the shortest abbreviation of a hash that git makes.
const minAbbreviated = 7

// revisionOf returns the revision that a word is, or "".
func revisionOf(word string) string {
	digits, isNumber := strings.CutPrefix(word, "r")
	switch {
	case isNumber && digits != "" && len(digits) < 10 && strings.Trim(digits, "0123456789") == "":
		return word
	case len(word) >= minAbbreviated && len(word) <= 64 && commit.IsHex(word):
		return word
	}
	return ""
}

func hasPrefixFold(s []byte, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(string(s[:len(prefix)]), prefix)
}
