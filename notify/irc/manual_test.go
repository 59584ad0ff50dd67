package irc

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// The manual lists every answer of servers, with the words that vext shows for
// it, under what becomes of the line.
func TestManualHasAnswers(t *testing.T) {
	guide := read(t, "irc.md")
	_, section, _ := strings.Cut(guide, "\n## When a server says no\n")
	section, _, _ = strings.Cut(section, "\n## ")
	waits, rejected, ok := strings.Cut(section, "**It is rejected**")
	if !ok {
		t.Fatal("the section of the guide has another form")
	}
	rejected, _, _ = strings.Cut(rejected, "**It waits, and is rejected in the end**")
	listed := map[string]bool{}
	for part, want := range map[string]verdict{waits: temporary, rejected: permanent} {
		for row := range strings.Lines(part) {
			cells := strings.Split(row, "|")
			if len(cells) < 4 {
				continue
			}
			for code := range strings.SplitSeq(cells[1], ",") {
				code = strings.Trim(code, " `-")
				if code == "" {
					continue
				}
				listed[code] = true
				if a, known := answers[code]; !known || a.verdict != want || a.words != strings.TrimSpace(cells[2]) {
					t.Errorf("%s: the guide says %q, and the code %+v", code, cells[2], a)
				}
			}
		}
	}
	for code, a := range answers {
		if !listed[code] {
			t.Errorf("the guide does not list %s (%s)", code, a.words)
		}
	}
}

// The times that the manual promises are those of the code.
func TestManualHasTimes(t *testing.T) {
	leaves := fmt.Sprintf("has %d seconds to be confirmed", int(leaveTime.Seconds()))
	for name, phrases := range map[string][]string{
		"irc.md": {leaves, fmt.Sprintf("not confirmed within %d seconds", int(answerTime.Seconds()))},
		"vext.1": {leaves},
	} {
		text := strings.Join(strings.Fields(read(t, name)), " ")
		if i := slices.IndexFunc(phrases, func(phrase string) bool { return !strings.Contains(text, phrase) }); i >= 0 {
			t.Errorf("%s does not say %q", name, phrases[i])
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
