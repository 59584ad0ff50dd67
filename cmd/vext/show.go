package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
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
				one.Deliveries = opened.Deliveries(cmd.Context(), q.State, one.Events)
			}
			if asJSON {
				return printJSON(a.stdout, shown)
			}
			s := styleFor(a.stdout)
			page := shown.text(s, q)
			if successor != nil {
				page += "\n" + amended(item, successor) + ":\n\n" + shown.Successor.text(s, q)
			}
			_, err = io.WriteString(a.stdout, page)
			return err
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
	Reminder   *queue.Item       `json:"reminder"`
	Events     []history.Event   `json:"events"`
	Message    string            `json:"message,omitempty"`
	Deliveries []server.Delivery `json:"irc,omitempty"`
	Successor  *shown            `json:"successor,omitempty"`
}

// read returns what to show of a reminder. Its message may be gone or unreadable.
func read(q *queue.Queue, item *queue.Item) (*shown, error) {
	events, err := q.Events(item.Name)
	s := &shown{Reminder: item, Events: events}
	if m, readErr := q.Read(item.Entry()); readErr == nil {
		s.Message = m.Message
	}
	return s, err
}

func (s *shown) text(in style, q *queue.Queue) string {
	text := show(in, q, s)
	if s.Message != "" {
		text += "\n" + indented(s.Message)
	}
	return text
}

func show(s style, q *queue.Queue, shown *shown) string {
	var b strings.Builder
	item, events := shown.Reminder, shown.Events
	today := q.Today()
	fmt.Fprintln(&b, s.bold(printable(cmp.Or(item.Subject, item.Name))))
	fact := func(label, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  %s  %s\n", s.dim(fmt.Sprintf("%-9s", label)), printable(text.JoinLines(value)))
		}
	}
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
		state = "due " + item.Day.Short(today) + ", " + item.Day.Distance(today)
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
	for _, d := range shown.Deliveries {
		fact("IRC", deliveryWords(&d, q))
	}
	fact("name", item.Name)
	fact("file", item.File())
	b.WriteByte('\n')
	for i := range events {
		e := &events[i]
		at := calendar.Of(e.Time, q.Zone).Short(today) + e.Time.In(q.Zone).Format(" 15:04")
		said := history.Describe(e, q.Zone)
		if e.Time.Sub(q.Now) > time.Hour {
			said = "(by a clock that was ahead) " + said
		}
		fmt.Fprintf(&b, "  %s  %s\n", s.dim(at), printable(text.JoinLines(said)))
	}
	return b.String()
}

// deliveryWords returns a delivery as a person reads it.
func deliveryWords(d *server.Delivery, q *queue.Queue) string {
	text := d.Target + ": " + d.State
	if !d.Since.IsZero() {
		text += map[string]string{"pending": " since ", "delivered": " "}[d.State] + calendar.Of(d.Since, q.Zone).Short(q.Today()) + d.Since.In(q.Zone).Format(" 15:04")
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

func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimRight("    "+printable(expandTabs(strings.TrimRight(line, "\n"))), " ") + "\n")
	}
	return b.String()
}
