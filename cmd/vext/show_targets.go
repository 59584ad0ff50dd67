package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"vext/internal/backport"
	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/queue"
	"vext/server"
)

// lookTime bounds how long a command looks at repositories for one commit.
const lookTime = 10 * time.Second

// lookAt finds out what has become of the commit.
func (shown *shown) lookAt(ctx context.Context, s *server.Server, q *queue.Queue) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if shown.commit.Revision == "" {
		shown.NotLookedAt = "the message names no revision"
		return
	}
	found, err := s.Backports(q).Look(ctx, []*commit.Commit{&shown.commit}, true)
	switch {
	case ctx.Err() != nil:
		shown.NotLookedAt = "it took longer than " + lookTime.String()
	case err != nil:
		shown.NotLookedAt = err.Error()
	case found[0].Why != "":
		shown.NotLookedAt = found[0].Why
	}
	if err == nil && found[0].Why == "" {
		shown.Report, shown.LookedAt = &found[0].Report, found[0].Source
	}
}

// printTargets prints what has become of the commit, and the commands that merge it.
func (shown *shown) printTargets(w io.Writer, s style, q *queue.Queue) {
	if shown.Report == nil {
		return
	}
	fmt.Fprintln(w)
	if r := shown.Reverted; r != nil {
		fmt.Fprintf(w, "  %s\n", s.red("reverted by "+commit.ShortRevision(r.By)+printable(byWhom(r.Who, r.Since, q))))
	}
	if len(shown.Targets) == 0 {
		fmt.Fprintln(w, "  there is no branch to merge it to")
	}
	printTargetTable(w, s, "  ", shown.Targets, q)
	for _, fix := range shown.Fixes {
		fmt.Fprintf(w, "  fixed by %s  %s\n", s.yellow(commit.ShortRevision(fix.Revision)), printable(fix.Subject))
		printTargetTable(w, s, "    ", fix.Targets, q)
	}
	shown.printCommands(w)
}

// printCommands prints each command once, with the branches for which it is.
func (shown *shown) printCommands(w io.Writer) {
	var commands []string
	branches := map[string][]string{}
	for _, t := range shown.Targets {
		command := shown.Command[t.Branch]
		if command != "" && !slices.Contains(commands, command) {
			commands = append(commands, command)
		}
		branches[command] = append(branches[command], printable(t.Branch))
	}
	for _, command := range commands {
		fmt.Fprintf(w, "  to merge it to %s:\n    %s\n", strings.Join(branches[command], ", "), printable(command))
	}
}

// printTargetTable prints a line for each target, and what else there is to say below it.
func printTargetTable(w io.Writer, s style, indent string, targets []backport.Target, q *queue.Queue) {
	width := 0
	for _, t := range targets {
		width = max(width, runewidth.StringWidth(printable(t.Branch)))
	}
	for i := range targets {
		t := &targets[i]
		state, detail := stateWords(t), targetDetail(t)
		paint := stateColour(s, state)
		if rest, ok := strings.CutPrefix(detail, state); ok {
			state += rest
		} else if state += byWhom(t.Who, t.Since, q); detail != "" {
			state += ": " + detail
		}
		fmt.Fprintf(w, "%s%s  %s\n", indent, column(t.Branch, width), paint(printable(state)))
	}
}

// byWhom says who did something, and when: " by ida, Fri 4 Dec, 2 weeks ago".
func byWhom(who string, when time.Time, q *queue.Queue) string {
	text := ""
	if who != "" {
		text = " by " + who
	}
	if !when.IsZero() {
		day := calendar.Of(when, q.Zone)
		text += ", " + dayWords(day, q.Today())
	}
	return text
}
