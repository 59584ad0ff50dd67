package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"

	"vext/internal/backport"
	"vext/internal/calendar"
	"vext/internal/commit"
)

// A pendingRow is a line of the table: a commit, or below it a fix.
type pendingRow struct {
	isFix                     bool
	commit, who, day, subject string
	cells                     []string // the states, by columns
	details                   []string // lines below it
}

// print prints the table, in the order of the branch.
func (p *pendingView) print(w io.Writer, s style) {
	if len(p.items) == 0 {
		fmt.Fprintln(w, "nothing is pending")
		return
	}
	columns := p.columns()
	rows := []pendingRow{{commit: "COMMIT", who: "COMMITTER", day: "READY", cells: columns, subject: "SUBJECT"}}
	for i := range p.items {
		rows = append(rows, p.rows(&p.items[i], columns)...)
	}
	widths := make([]int, 3+len(columns))
	for i := range rows {
		for n, value := range rows[i].values() {
			widths[n] = max(widths[n], runewidth.StringWidth(printable(value)))
		}
	}
	for i := range rows {
		rows[i].print(w, s, widths, i == 0)
	}
}

// rows returns the lines of an item.
func (p *pendingView) rows(item *pendingItem, columns []string) []pendingRow {
	rows := []pendingRow{{
		commit: commit.ShortRevision(item.Revision), who: cmp.Or(commit.Login(item.Address), item.Committer),
		day: p.ready(item), cells: cells(item.Targets, columns), subject: item.Subject, details: details(item.Targets),
	}}
	for _, fix := range item.Fixes {
		rows = append(rows, pendingRow{
			isFix: true, commit: "+ " + commit.ShortRevision(fix.Revision), who: fix.Who,
			cells: cells(fix.Targets, columns), subject: fix.Subject, details: details(fix.Targets),
		})
	}
	return rows
}

func (r *pendingRow) values() []string { return append([]string{r.commit, r.who, r.day}, r.cells...) }

func (r *pendingRow) print(w io.Writer, s style, widths []int, isHeading bool) {
	var b strings.Builder
	for n, value := range r.values() {
		value = column(value, widths[n]) + "  "
		switch {
		case isHeading:
		case n == 0:
			value = s.yellow(value)
		case n > 2:
			value = stateColour(s, r.cells[n-3])(value)
		}
		b.WriteString(value)
	}
	line := strings.TrimRight(b.String()+printable(r.subject), " ")
	if isHeading {
		line = s.bold(line)
	}
	fmt.Fprintln(w, line)
	for _, detail := range r.details {
		fmt.Fprintf(w, "%s  %s\n", strings.Repeat(" ", widths[0]), s.dim(printable(detail)))
	}
}

// cells returns the states on the branches of the columns.
func cells(targets []backport.Target, columns []string) []string {
	all := make([]string, len(columns))
	for i, name := range columns {
		all[i] = "-"
		if at := slices.IndexFunc(targets, func(t backport.Target) bool { return t.Branch == name }); at >= 0 {
			all[i] = stateWords(&targets[at])
		}
	}
	return all
}

// stateWord are the states for people, where they are others than on disk.
var stateWord = map[backport.State]string{
	backport.ProbablyMerged: "probably merged", backport.Clean: "applies", backport.Conflict: "conflicts",
	backport.NothingToDo: "nothing to do", backport.NotWanted: "not wanted",
}

// stateWords returns the state of a target in few words.
func stateWords(t *backport.Target) string {
	if t.State == backport.Unknown && t.Why == "" { // nobody has tried whether it applies
		return "not merged"
	}
	return strings.TrimSpace(cmp.Or(stateWord[t.State], string(t.State)) + " " + commit.ShortRevision(t.By))
}

// stateColour returns the colour for a state in words.
func stateColour(s style, words string) func(string) string {
	switch {
	case strings.HasPrefix(words, "merged"):
		return s.dim
	case words == stateWord[backport.Clean]:
		return s.green
	case words == stateWord[backport.Conflict]:
		return s.red
	}
	return func(text string) string { return text }
}

// details returns what else there is to say about targets, once for those of which it is
// the same.
func details(targets []backport.Target) []string {
	var all []string
	branches := map[string][]string{}
	for i := range targets {
		text := targetDetail(&targets[i])
		if text == "" {
			continue
		}
		if len(branches[text]) == 0 {
			all = append(all, text)
		}
		branches[text] = append(branches[text], targets[i].Branch)
	}
	for i, text := range all {
		all[i] = strings.Join(branches[text], ", ") + ": " + text
	}
	return all
}

// maxDetails bounds the files and commits that a detail names.
const maxDetails = 5

// targetDetail returns what else there is to say about a target.
func targetDetail(t *backport.Target) string {
	var parts []string
	if len(t.Files) > 0 {
		parts = append(parts, "conflicts in "+someOf(t.Files))
	}
	if len(t.Needs) > 0 {
		short := make([]string, len(t.Needs))
		for i, need := range t.Needs {
			short[i] = commit.ShortRevision(need)
		}
		parts = append(parts, "applies after "+someOf(short))
	}
	if t.Why != "" {
		parts = append(parts, t.Why)
	}
	return strings.Join(parts, "; ")
}

// someOf returns the first of some names, with the number of the others.
func someOf(names []string) string {
	text := strings.Join(names[:min(len(names), maxDetails)], ", ")
	if more := len(names) - maxDetails; more > 0 {
		text += " and " + calendar.Plural(more, "other")
	}
	return text
}
