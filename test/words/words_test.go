// Package words checks that retired words do not come back: words.txt lists them,
// with what to say instead and why.
package words

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// A word is retired: say another, but where an exception allows it.
type word struct {
	pattern *regexp.Regexp
	say     string
	allowed []exception
}

// An exception allows a word in the lines of some files that match a pattern.
type exception struct {
	files string // a pattern of path.Match; "internal/" is a folder, "*" all files
	line  *regexp.Regexp
}

func TestWords(t *testing.T) {
	words := list(t)
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name = filepath.ToSlash(strings.TrimPrefix(name, root+string(filepath.Separator)))
		switch {
		case entry.IsDir() && (name == ".git" || name == "bin"):
			return filepath.SkipDir
		case entry.IsDir() || !isChecked(name):
			return nil
		}
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		for _, finding := range check(words, name, string(data)) {
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

// list reads words.txt: lines "pattern | say | reason", and below a word its
// exceptions, "! files | pattern of the line | reason".
func list(t *testing.T) (words []word) {
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
		if len(fields) != 3 || isException && len(words) == 0 {
			t.Fatalf("words.txt:%d: want three fields", n)
		}
		if isException {
			last := &words[len(words)-1]
			last.allowed = append(last.allowed, exception{fields[0], regexp.MustCompile(fields[1])})
			continue
		}
		words = append(words, word{pattern: regexp.MustCompile(`\b(?:` + fields[0] + `)\b`), say: fields[1]})
	}
	return words
}

// check returns a finding "file:line: word: say X" for each retired word of a file.
// A word may continue in the next line.
func check(words []word, name, text string) (findings []string) {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		next := ""
		if i+1 < len(lines) {
			next = strings.TrimLeft(lines[i+1], "\t #/.")
		}
		for _, w := range words {
			found := cmp.Or(w.find(line, next), w.find(split(line), split(next)))
			if found != "" && !w.isAllowed(name, line) {
				findings = append(findings, fmt.Sprintf("%s:%d: %s: say %s", name, i+1, found, w.say))
			}
		}
	}
	return findings
}

// find returns the word where it begins in a line.
func (w word) find(line, next string) string {
	at := w.pattern.FindStringIndex(line + " " + next)
	if at == nil || at[0] >= len(line) {
		return ""
	}
	return (line + " " + next)[at[0]:at[1]]
}

func (w word) isAllowed(name, line string) bool {
	for _, e := range w.allowed {
		matches, _ := path.Match(e.files, name)
		inFolder := strings.HasSuffix(e.files, "/") && strings.HasPrefix(name, e.files)
		if (matches || inFolder || e.files == "*") && e.line.MatchString(line) {
			return true
		}
	}
	return false
}

var camel = regexp.MustCompile(`([a-z0-9])([A-Z])|_`)

// split makes words of identifiers, in lower case: setAside is "set aside".
func split(text string) string {
	return strings.ToLower(camel.ReplaceAllString(text, "$1 $2"))
}

func TestCheck(t *testing.T) {
	words := []word{{
		pattern: regexp.MustCompile(`\b(?:let go|most[A-Z]\w*)\b`), say: "ignored",
		allowed: []exception{{"internal/", regexp.MustCompile("on disk")}},
	}}
	for _, test := range []struct {
		name, text, want string
	}{
		{"a.go", "func LetGo() {}", "a.go:1: let go: say ignored"},
		{"a.go", "x\n\t// It was let\n\t// go.", "a.go:2: let go: say ignored"},
		{"a.go", "const mostConns = 5", "a.go:1: mostConns: say ignored"},
		{"a.go", "the most commits, an outlet going", ""},
		{"internal/a.go", `const ignored = "let go" // on disk`, ""},
		{"internal/a.go", `const ignored = "let go"`, "internal/a.go:1: let go: say ignored"},
	} {
		if got := strings.Join(check(words, test.name, test.text), "\n"); got != test.want {
			t.Errorf("%q: %q, not %q", test.text, got, test.want)
		}
	}
}
