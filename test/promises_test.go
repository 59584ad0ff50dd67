package test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each promise of the README stands in docs/promises.md, with tests that exist.
func TestPromises(t *testing.T) {
	_, text, _ := strings.Cut(read(t, "../README.md"), "\n## What it promises\n")
	text, _, _ = strings.Cut(text, "\n\n[docs/promises.md]")
	promises := strings.Split(strings.TrimSpace(text), "\n- ")
	sections := strings.Split(read(t, "../docs/promises.md"), "\n## ")[1:]
	if len(promises) != len(sections) || len(promises) < 5 {
		t.Fatalf("%d promises in the README, %d in docs/promises.md", len(promises), len(sections))
	}
	for i, section := range sections {
		title, body, _ := strings.Cut(section, "\n")
		if promise := strings.TrimPrefix(promises[i], "- "); !strings.HasPrefix(promise, title) {
			t.Errorf("the README promises\n%s\nand docs/promises.md\n%s", promise, title)
		}
		if n := wantTests(t, body); n == 0 {
			t.Errorf("%s: no test holds it", title)
		}
	}
}

// testName finds `package: TestName` and the `TestName` of the same package behind it.
var testName = regexp.MustCompile("`(?:([a-z][a-z/-]*): )?((?:Test|Fuzz)\\w+)`")

// wantTests checks that the tests exist that a text names, and counts them.
func wantTests(t *testing.T, text string) (n int) {
	t.Helper()
	dir := ""
	for _, m := range testName.FindAllStringSubmatch(text, -1) {
		if m[1] != "" {
			dir = m[1]
		}
		files, _ := filepath.Glob(filepath.Join("..", dir, "*_test.go"))
		found := false
		for _, file := range files {
			data, err := os.ReadFile(file)
			ok(t, err)
			found = found || strings.Contains(string(data), "\nfunc "+m[2]+"(")
		}
		if !found {
			t.Errorf("there is no %s in %s", m[2], dir)
		}
		n++
	}
	return n
}
