package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"vext/internal/backport"
	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
	"vext/internal/target"
	"vext/internal/text"
	"vext/queue"
	"vext/server"
)

func newShow(a *app) *cobra.Command {
	var raw, asJSON bool
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show one reminder and what has happened to it",
		Example: `  vext show 0123456789ab
  vext show --raw 0123456789ab | less    the mail as it arrived`,
		Args:              takes(1, 1, "one ID"),
		ValidArgsFunction: completeIDs(a, 1, waiting, failed, recentlySent),
		RunE: a.orControl(toRead, func(cmd *cobra.Command, args []string) error {
			opened, q, err := a.open()
			if err != nil {
				return err
			}
			item, successor, err := a.find(q, args[0])
			if err != nil {
				return err
			}
			if raw && !item.IsKept() {
				return fmt.Errorf("%s; its own message is no longer kept", amended(item, successor))
			}
			if raw {
				return copyMessage(a.stdout, q, item)
			}
			shown, err := read(q, item)
			if err == nil && successor != nil {
				shown.Successor, err = read(q, successor)
			}
			if err != nil {
				return err
			}
			for one := shown; one != nil; one = one.Successor {
				one.lookAt(cmd.Context(), opened, q)
				for _, d := range opened.Deliveries(cmd.Context(), q.State, one.Events) {
					if target.Protocol(d.Target) == target.XMPP {
						one.XMPP = append(one.XMPP, d)
					} else {
						one.IRC = append(one.IRC, d)
					}
				}
			}
			if asJSON {
				return printJSON(a.stdout, shown)
			}
			s := styleFor(a.stdout)
			shown.print(a.stdout, s, q)
			if successor != nil {
				fmt.Fprintf(a.stdout, "\n%s:\n\n", amended(item, successor))
				shown.Successor.print(a.stdout, s, q)
			}
			return nil
		}),
	}
	c.Flags().BoolVar(&raw, "raw", false, "print the message as it is on disk")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.MarkFlagsMutuallyExclusive("raw", "json")
	return c
}

func copyMessage(w io.Writer, q *queue.Queue, item *queue.Item) error {
	f, err := q.Open(item.Entry())
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// shown is what is shown of one reminder, and of the one that has replaced it.
type shown struct {
	Reminder  *queue.Item       `json:"reminder"`
	Events    []history.Event   `json:"events"`
	Message   string            `json:"message,omitempty"`
	IRC       []server.Delivery `json:"irc,omitempty"` // what has become of its messages
	XMPP      []server.Delivery `json:"xmpp,omitempty"`
	Successor *shown            `json:"successor,omitempty"`

	*backport.Report        // what has become of the commit; nil when nobody has looked
	LookedAt         string `json:"looked_at,omitempty"` // the repository
	NotLookedAt      string `json:"not_looked_at,omitempty"`

	commit commit.Commit
}

// read returns what to show of a reminder. Its message may be gone or unreadable.
func read(q *queue.Queue, item *queue.Item) (*shown, error) {
	events, err := q.Events(item.Name)
	s := &shown{Reminder: item, Events: events}
	if m, readErr := q.Read(item.Entry()); readErr == nil {
		s.Message, s.commit = m.Message, m.Commit
	} else if item.Event != nil {
		s.commit = commit.Commit{Repository: item.Repository, Revision: item.Revision}
	}
	return s, err
}

func (shown *shown) print(w io.Writer, s style, q *queue.Queue) {
	item, events := shown.Reminder, shown.Events
	today := q.Today()
	fmt.Fprintln(w, s.bold(printable(cmp.Or(item.Subject, item.Name))))
	fact := func(label, value string) { printFact(w, s, 9, label, value) }
	state := map[string]string{
		queue.InSpool: "in the spool, to be scheduled by the next run", queue.InQuarantine: "quarantined",
		queue.InDone: "done", queue.InQueue: "waiting",
	}[item.Place]
	if item.Held {
		state = "in the spool, held until another source brings it"
	}
	if item.SupersededBy != "" {
		state = "superseded by " + commit.ShortRevision(item.SupersededBy)
	} else if item.Place == queue.InQueue {
		state = "due " + dayWords(item.Day, today)
	}
	fact("state", state)
	fact("reason", queue.WithID(item.Reason, "vext", cmp.Or(queue.ID(item.Event), item.Name)))
	if item.Limit != nil {
		fact("held", item.Limit.Reason)
	}
	fact("committer", commit.Person{Name: item.Committer, Email: item.Address}.String())
	fact("commit", item.Revision)
	fact("branch", branchOf(item))
	fact("asked", item.Asked)
	fact("source", item.Source)
	fact("gone", item.Gone)
	for _, d := range shown.IRC {
		fact("IRC", deliveryWords(&d, q))
	}
	for _, d := range shown.XMPP {
		fact("XMPP", deliveryWords(&d, q))
	}
	fact("looked at", cmp.Or(shown.LookedAt, "nothing: "+shown.NotLookedAt))
	fact("name", item.Name)
	fact("file", item.File())
	shown.printTargets(w, s, q)
	if len(events) > 0 {
		fmt.Fprintln(w)
	}
	for i := range events {
		e := &events[i]
		said := history.Describe(e, q.Zone)
		if e.Time.Sub(q.Now) > time.Hour {
			said = "(by a clock that was ahead) " + said
		}
		fmt.Fprintf(w, "  %s  %s\n", s.dim(timeWords(e.Time, q)), printable(text.JoinLines(said)))
	}
	if shown.Message != "" {
		fmt.Fprintln(w)
	}
	for line := range strings.Lines(shown.Message) {
		fmt.Fprintln(w, strings.TrimRight("    "+printable(expandTabs(strings.TrimRight(line, "\n"))), " "))
	}
}

// printFact prints a label, in a column of n cells, and its value if there is one.
func printFact(w io.Writer, s style, n int, label, value string) {
	if value != "" {
		fmt.Fprintf(w, "  %s  %s\n", s.dim(fmt.Sprintf("%-*s", n, label)), printable(text.JoinLines(value)))
	}
}

// timeWords returns a time with its day: Fri 4 Dec 15:04.
func timeWords(t time.Time, q *queue.Queue) string {
	return calendar.Of(t, q.Zone).Short(q.Today()) + t.In(q.Zone).Format(" 15:04")
}

func deliveryWords(d *server.Delivery, q *queue.Queue) string {
	text := d.Target + ": " + d.State
	if !d.Since.IsZero() {
		text += map[string]string{"pending": " since ", "delivered": " "}[d.State] + timeWords(d.Since, q)
	}
	if d.Reason != "" {
		text += ": " + d.Reason
	}
	return text
}

// branchOf returns the branch of a commit with its repository: "main of src".
func branchOf(item *queue.Item) string {
	if item.Branch == "" || item.Repository == "" {
		return item.Branch + item.Repository
	}
	return item.Branch + " of " + item.Repository
}

// expandTabs replaces tabs by blanks, since an indent would shift tab stops.
func expandTabs(line string) string {
	var b strings.Builder
	width := 0
	for _, r := range line {
		if r != '\t' {
			b.WriteRune(r)
			width += runewidth.RuneWidth(r)
			continue
		}
		n := 8 - width%8
		b.WriteString(strings.Repeat(" ", n))
		width += n
	}
	return b.String()
}

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
