// Package words checks that retired words do not come back: words.txt lists them,
// with what to say instead and why.
package words

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
)

const root = "../.."

// An entry of words.txt: some phrases are retired, but where an exception allows them.
type entry struct {
	phrases [][]string // their words
	say     string
	allowed []exception
}

// An exception allows the phrases in the lines of some files that contain a text.
type exception struct {
	files string // a name, a folder with a slash at its end, or * for all
	text  string
}

// A token is a word of a text, in lower case. An identifier is several.
type token struct {
	text string
	line int  // from 0
	ends bool // a sentence, or a part of one: no phrase goes on behind it
}

func TestWords(t *testing.T) {
	entries := list(t)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name = filepath.ToSlash(strings.TrimPrefix(name, root+string(filepath.Separator)))
		switch {
		case d.IsDir() && (name == ".git" || name == "bin" || name == "dist"):
			return filepath.SkipDir
		case d.IsDir() || !isChecked(name):
			return nil
		}
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		for _, finding := range check(entries, name, string(data)) {
			t.Error(finding)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// isChecked reports whether a file is our own prose or code. Fixtures are not, nor
// is CHANGELOG.md, whose old entries keep the words of their time.
func isChecked(name string) bool {
	if strings.HasPrefix(name, "test/words/") || strings.HasPrefix(name, "testdata/") {
		return false
	}
	switch path.Ext(name) {
	case ".go", ".sh", ".1", ".5", ".7":
		return true
	case ".md":
		return name != "CHANGELOG.md"
	case ".txt":
		return strings.HasPrefix(name, "templates/") || strings.HasPrefix(name, "cmd/vext/testdata/")
	}
	return strings.HasPrefix(name, "contrib/") || name == "Makefile"
}

// list reads words.txt.
func list(t *testing.T) (entries []entry) {
	t.Helper()
	data, err := os.ReadFile("words.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		rest, isException := strings.CutPrefix(line, "! ")
		fields := strings.Split(rest, " | ")
		if len(fields) != 3 || isException && len(entries) == 0 {
			t.Fatalf("words.txt:%d: want three fields", n)
		}
		if isException {
			last := &entries[len(entries)-1]
			last.allowed = append(last.allowed, exception{fields[0], fields[1]})
			continue
		}
		entries = append(entries, newEntry(fields[0], fields[1]))
	}
	return entries
}

func newEntry(phrases, say string) entry {
	e := entry{say: say}
	for phrase := range strings.SplitSeq(phrases, ", ") {
		e.phrases = append(e.phrases, strings.Fields(phrase))
	}
	return e
}

// check returns a finding "file:line: phrase: say X" for each retired phrase of a text.
func check(entries []entry, name, text string) (findings []string) {
	type phrase struct {
		words []string
		of    *entry
	}
	first := map[string][]phrase{}
	for i := range entries {
		for _, words := range entries[i].phrases {
			first[words[0]] = append(first[words[0]], phrase{words, &entries[i]})
		}
	}
	lines, tokens := strings.Split(text, "\n"), tokensOf(text)
	for i, t := range tokens {
		for _, p := range first[t.text] {
			if begins(tokens[i:], p.words) && !p.of.isAllowed(name, lines[t.line]) {
				findings = append(findings, fmt.Sprintf("%s:%d: %s: say %s", name, t.line+1, strings.Join(p.words, " "), p.of.say))
			}
		}
	}
	return findings
}

// begins reports whether tokens begin with the words of a phrase.
func begins(tokens []token, words []string) bool {
	for i, w := range words {
		if i >= len(tokens) || w != "*" && w != tokens[i].text || tokens[i].ends && i+1 < len(words) {
			return false
		}
	}
	return true
}

func (e *entry) isAllowed(name, line string) bool {
	return slices.ContainsFunc(e.allowed, func(x exception) bool {
		inFolder := strings.HasSuffix(x.files, "/") && strings.HasPrefix(name, x.files)
		return (x.files == "*" || x.files == name || inFolder) && strings.Contains(line, x.text)
	})
}

// tokensOf returns the words of a text. The first word of an identifier such as
// mostConns is "most+", and a name in [[ ]] is one with them.
func tokensOf(text string) (tokens []token) {
	line := 0
	for i := 0; i < len(text); {
		c := text[i]
		if !isLetter(c) {
			if c == '\n' {
				line++
			} else if strings.IndexByte(" \t/#-_*", c) < 0 && len(tokens) > 0 {
				tokens[len(tokens)-1].ends = true
			}
			i++
			continue
		}
		from := i
		for i++; i < len(text) && isLetter(text[i]) && !(text[i] <= 'Z' && text[i-1] >= 'a'); i++ {
		}
		word := strings.ToLower(text[from:i])
		switch {
		case i < len(text) && unicode.IsUpper(rune(text[i])) && (from == 0 || !isLetter(text[from-1])):
			tokens = append(tokens, token{text: word + "+", line: line, ends: true})
		case strings.HasSuffix(text[:from], "[[") && strings.HasPrefix(text[i:], "]]"):
			word = "[[" + word + "]]"
		}
		tokens = append(tokens, token{text: word, line: line})
	}
	return tokens
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func TestCheck(t *testing.T) {
	e := newEntry("let go, let * go, most+, [[notice]]", "ignored")
	e.allowed = []exception{{"internal/", "on disk"}}
	for _, test := range []struct {
		name, text, want string
	}{
		{"a.go", "func LetGo() {}", "a.go:1: let go: say ignored"},
		{"a.go", "x\n\t// It was let\n\t// go.", "a.go:2: let go: say ignored"},
		{"a.go", "lets it go; let it go", "a.go:1: let * go: say ignored"},
		{"a.go", "const mostConns = 5", "a.go:1: most+: say ignored"},
		{"a.go", "the most commits, an outlet going; let. Go, theMostOf", ""},
		{"a.md", "a notice in `[[notice]]`", "a.md:1: [[notice]]: say ignored"},
		{"internal/a.go", `const ignored = "let go" // on disk`, ""},
		{"internal/a.go", `const ignored = "let go"`, "internal/a.go:1: let go: say ignored"},
	} {
		if got := strings.Join(check([]entry{e}, test.name, test.text), "\n"); got != test.want {
			t.Errorf("%q: %q, not %q", test.text, got, test.want)
		}
	}
}
