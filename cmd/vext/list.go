package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
	"vext/internal/text"
	"vext/policy"
	"vext/queue"
)

type listOptions struct {
	choice
	due, failed, sent, json bool
}

func newList(a *app) *cobra.Command {
	var opts listOptions
	c := &cobra.Command{
		Use:   "list",
		Short: "Show pending reminders, by day; or those sent",
		Example: `  vext list
  vext list --committer kib
  vext list --due             only what is due
  vext list --failed          what was quarantined, and why
  vext list --sent --repository src --branch main
  vext list --json | jq -r '.[].subject'`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, q, err := a.open()
			if err != nil {
				return err
			}
			return list(a, q, opts)
		},
	}
	flags := c.Flags()
	opts.addFlags(a, c)
	flags.BoolVar(&opts.due, "due", false, "only reminders that are due")
	flags.BoolVar(&opts.failed, "failed", false, "what was quarantined, with the reasons")
	flags.BoolVar(&opts.sent, "sent", false, "what was sent, by the day of sending, the newest last")
	flags.BoolVar(&opts.json, "json", false, "print JSON")
	c.MarkFlagsMutuallyExclusive("due", "failed", "sent")
	return c
}

func list(a *app, q *queue.Queue, opts listOptions) error {
	get := q.Waiting
	switch {
	case opts.failed:
		get = q.Quarantined
	case opts.sent:
		get = q.Sent
	}
	items, err := get()
	if err != nil {
		return err
	}
	if !opts.failed && !opts.due && !opts.sent {
		spooled, err := q.Spooled()
		if err != nil {
			return err
		}
		items = append(items, spooled...)
	}
	items = slices.DeleteFunc(items, func(item queue.Item) bool {
		return !opts.takes(&q.Policy, item.Event) || opts.due && q.Today().Before(item.Day)
	})
	w := bufio.NewWriterSize(a.stdout, 64<<10)
	defer w.Flush()
	switch {
	case opts.json:
		return printItems(w, items)
	case len(items) == 0:
		fmt.Fprintln(w, opts.nothing())
	case opts.failed:
		printFailed(w, styleFor(a.stdout), items)
	default:
		printDays(w, styleFor(a.stdout), width(a.stdout), items, q)
	}
	return nil
}

func (opts *listOptions) nothing() string {
	verb := "waits"
	switch {
	case opts.failed:
		verb = "was quarantined"
	case opts.sent:
		verb = "was sent"
	case opts.due:
		verb = "is due"
	}
	return "nothing " + opts.words() + verb
}

// printItems prints a JSON array, one item at a time: a second copy of a hundred
// thousand items would need too much memory.
func printItems(w io.Writer, items []queue.Item) error {
	if len(items) == 0 {
		fmt.Fprintln(w, "[]")
		return nil
	}
	before := "["
	for i := range items {
		line, err := json.Marshal(&items[i])
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\n  %s", before, line)
		before = ","
	}
	fmt.Fprintln(w, "\n]")
	return nil
}

// Widths of the columns of a list, in cells.
const (
	whoWidth      = 12
	revisionWidth = 12
	subjectWidth  = 1000 // where there is no terminal nothing is cut
)

func printDays(w io.Writer, s style, columns int, items []queue.Item, q *queue.Queue) {
	today := q.Today()
	subject := subjectWidth
	if columns > 0 {
		subject = max(20, columns-whoWidth-revisionWidth-7)
	}
	var last string
	for i := range items {
		item := &items[i]
		heading := headingOf(item, q)
		if heading != last {
			if last != "" {
				fmt.Fprintln(w)
			}
			fmt.Fprintln(w, s.bold(heading))
			last = heading
		}
		fmt.Fprintln(w, "  "+row(s, item, cmp.Or(item.Subject, item.Reason), subject))
		remark := func(text string) {
			fmt.Fprintf(w, "  %s  %s\n", strings.Repeat(" ", whoWidth), s.red(printable(text)))
		}
		if t := item.Tried; t != nil {
			remark("tried " + calendar.Times(t.Count) + ": " + text.JoinLines(t.Why))
		}
		if item.Limit != nil {
			remark("held until " + calendar.Of(item.Until(), q.Zone).Short(today) + ": " + item.Limit.Reason)
		}
		if item.Gone != "" {
			remark(item.Gone)
		}
	}
}

// row returns the columns that lists and logs have in common. The subject is cut at a
// width.
func row(s style, item *queue.Item, subject string, width int) string {
	line := column(commit.Login(item.Address), whoWidth) + "  " +
		s.yellow(column(shortID(item), revisionWidth)) + "  " + column(subject, width)
	return strings.TrimRight(line, " ")
}

// headingOf returns the day on which an item is due or was sent, or else where it
// is.
func headingOf(item *queue.Item, q *queue.Queue) string {
	today := q.Today()
	switch {
	case item.Place == queue.InSent:
		return dayWords(calendar.Of(item.Time, q.Zone), today)
	case item.Place == queue.InQueue && item.Day.Before(today):
		return dayWords(item.Day, today) + ", overdue"
	case item.Place == queue.InQueue:
		return dayWords(item.Day, today)
	case item.Held:
		return "in the spool, held until another source brings them"
	}
	return "in the spool, to be scheduled by the next run"
}

// dayWords returns a day with its distance: Fri 4 Dec, in 2 weeks.
func dayWords(day, today calendar.Day) string { return day.Short(today) + ", " + day.Distance(today) }

// shortID returns the ID of a reminder as a list shows it: the short revision, or
// the beginning of the name.
func shortID(item *queue.Item) string {
	if item.Revision != "" {
		return commit.ShortRevision(item.Revision)
	}
	return item.Name[:min(len(item.Name), revisionWidth)]
}

func printFailed(w io.Writer, s style, items []queue.Item) {
	for i, group := range queue.ByAdvice(items, func(item *queue.Item) string { return item.Reason }) {
		if i > 0 {
			fmt.Fprintln(w)
		}
		for _, item := range group {
			fmt.Fprintln(w, s.bold(printable(item.Name)))
			if item.Address != "" || item.Subject != "" {
				fmt.Fprintf(w, "  %s  %s  %s\n", cmp.Or(printable(commit.Login(item.Address)), "-"),
					cmp.Or(printable(commit.ShortRevision(item.Revision)), "-"), printable(item.Subject))
			}
			printWhy(w, s, "  ", item.Reason)
		}
		printAdvice(w, s, "  ", group[0].Reason, len(group), cmp.Or(queue.ID(group[0].Event), group[0].Name))
	}
}

// printWhy prints the first line of a reason.
func printWhy(w io.Writer, s style, indent, reason string) {
	if why, _ := queue.SplitReason(reason); why != "" {
		fmt.Fprintf(w, "%s%s\n", indent, s.red(printable(why)))
	}
}

// printAdvice prints what to do about n items that have the reason in common; about a
// single one, with its ID.
func printAdvice(w io.Writer, s style, indent, reason string, n int, id string) {
	_, advice := queue.SplitReason(reason)
	if n == 1 {
		advice = queue.WithID(advice, "vext", id)
	}
	for line := range strings.Lines(advice) {
		fmt.Fprintf(w, "%s%s\n", indent, s.red(printable(strings.TrimRight(line, "\n"))))
	}
}

// A choice selects the reminders of a list or a log. An empty field selects all.
type choice struct{ committer, repository, branch string }

func (c *choice) addFlags(a *app, cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&c.committer, "committer", "", "only reminders for `NAME`: a login, an address, or a part of the name")
	flags.StringVar(&c.repository, "repository", "", "only reminders of the repository `NAME`, or of those that match a pattern")
	flags.StringVar(&c.branch, "branch", "", "only reminders of the branch `NAME`, or of those that match a pattern")
	completeRepository(a, cmd)
	completeNames(a, cmd, "committer", func(e *history.Event) string { return commit.Login(e.Address) }, noMore)
	completeNames(a, cmd, "branch", func(e *history.Event) string { return e.Branch }, noMore)
}

func (c *choice) takes(p *policy.Policy, e *history.Event) bool {
	return (c.committer == "" || isCommitter(e, c.committer)) &&
		(c.repository == "" || p.HasRepository([]string{c.repository}, e.Repository)) &&
		(c.branch == "" || policy.MatchBranch([]string{c.branch}, e.Branch))
}

// words describes the choice, with a blank at the end: "of repository src ". It is
// empty for a choice of all.
func (c *choice) words() string {
	text := ""
	for _, part := range []struct{ before, name string }{
		{"for committer ", c.committer}, {"of repository ", c.repository}, {"on branch ", c.branch},
	} {
		if part.name != "" {
			text += part.before + printable(part.name) + " "
		}
	}
	return text
}

func isCommitter(e *history.Event, who string) bool {
	return strings.EqualFold(e.Address, who) || strings.EqualFold(commit.Login(e.Address), who) ||
		strings.Contains(strings.ToLower(e.Committer), strings.ToLower(who))
}
