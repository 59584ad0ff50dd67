package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"vext/internal/calendar"
	"vext/internal/hint"
	"vext/internal/history"
	"vext/internal/target"
	"vext/internal/text"
	"vext/queue"
	"vext/reminder"
)

type logOptions struct {
	choice
	since, until string
	all, json    bool
	ids          []string
}

func newLog(a *app) *cobra.Command {
	var opts logOptions
	c := &cobra.Command{
		Use:   "log [ID...]",
		Short: "Show what was sent, snoozed, cancelled and quarantined",
		Long: `Shows the events of reminders, by day, the newest last: which were sent, snoozed,
cancelled and retried, and by whom; and which were quarantined or bounced, and why.
With IDs it shows only these reminders.`,
		Example: `  vext log --since 2026-12-01
  vext log --committer kib --repository src
  vext log --all 0123456789ab            every event of one reminder
  vext log --json | jq -r 'select(.event == "cancelled").subject'`,
		ValidArgsFunction: completeIDs(a, 0, waiting, failed, recentlySent),
		RunE: func(_ *cobra.Command, args []string) error {
			opts.ids = args
			return showLog(a, &opts)
		},
	}
	flags := c.Flags()
	flags.StringVar(&opts.since, "since", "", "from the `DAY` on (2026-01-01)")
	flags.StringVar(&opts.until, "until", "", "up to and with the `DAY`")
	opts.addFlags(a, c)
	flags.BoolVar(&opts.all, "all", false, "every event, including queued, deferred, ignored, ...")
	flags.BoolVar(&opts.json, "json", false, "print JSON, one object a line")
	return c
}

// logged are the kinds of events that are shown without --all. For an ID, showLog adds the
// events that say that a commit was amended or rebased.
var logged = []string{history.Sent, history.Bounced, history.Fallback, history.Snoozed, history.Cancelled, history.Merged, history.Marked, history.Unmarked, history.Repeated, history.Warned, history.Retried, history.Failed, history.Vanished}

func showLog(a *app, opts *logOptions) error {
	_, q, err := a.open()
	if err != nil {
		return err
	}
	since, until, err := parseDays(opts.since, opts.until, q.Zone)
	if err != nil {
		return err
	}
	names, err := namesOf(q, opts.ids)
	if err != nil {
		return err
	}
	kinds := logged
	if names != nil {
		kinds = append(slices.Clone(logged), history.Superseded, history.Supersedes)
	}
	w := bufio.NewWriterSize(a.stdout, 64<<10)
	defer w.Flush()
	p := logPrinter{w: w, style: styleFor(a.stdout), columns: width(a.stdout), q: q}
	lines := json.NewEncoder(w)
	_, err = q.History.Scan(func(e *history.Event) {
		day := calendar.Of(e.Time, q.Zone)
		switch {
		case !opts.all && !slices.Contains(kinds, e.Kind),
			!since.IsZero() && day.Before(since), !until.IsZero() && until.Before(day),
			names != nil && !names[e.Name], !opts.takes(&q.Policy, e):
		case opts.json:
			lines.Encode(e) // an error is that of writing
		default:
			p.print(e, day)
		}
	})
	if err == nil && !p.any && !opts.json {
		fmt.Fprintln(w, "nothing "+opts.words()+"was done")
		if !opts.all {
			a.hint("--all also shows what was queued, deferred or ignored")
		}
	}
	return err
}

// namesOf returns the names of the messages that IDs mean, nil for all.
func namesOf(q *queue.Queue, ids []string) (map[string]bool, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	names, found := map[string]bool{}, map[string]bool{}
	_, err := q.History.Scan(func(e *history.Event) {
		item := queue.Item{Event: e, Name: e.Name}
		for _, id := range ids {
			if item.Is(id) {
				names[e.Name], found[id] = true, true
			}
		}
	})
	for _, id := range ids {
		if err == nil && !found[id] {
			err = hint.Wrap(fmt.Errorf("%w: %s", queue.ErrNotFound, id), "the history knows of none with that ID; vext list shows what is in the spool")
		}
	}
	return names, err
}

// A logPrinter prints events, by day.
type logPrinter struct {
	w       io.Writer
	style   style
	columns int // 0 where nothing is cut
	q       *queue.Queue
	any     bool
	last    calendar.Day
}

// Widths of the columns of a log that a list has not, in cells.
const (
	timeWidth = 5
	kindWidth = 11
)

func (p *logPrinter) print(e *history.Event, day calendar.Day) {
	if !p.any || day != p.last {
		if p.any {
			fmt.Fprintln(p.w)
		}
		fmt.Fprintln(p.w, p.style.bold(dayWords(day, p.q.Today())))
	}
	p.any, p.last = true, day
	subject := subjectWidth
	if p.columns > 0 {
		subject = max(20, p.columns-timeWidth-kindWidth-whoWidth-revisionWidth-11)
	}
	kind := e.Kind
	if kind == history.Failed {
		kind = "quarantined"
	}
	mark := column(kind, kindWidth)
	if e.Kind == history.Failed {
		mark = p.style.red(mark)
	}
	at := p.style.dim(e.Time.In(p.q.Zone).Format("15:04"))
	fmt.Fprintf(p.w, "  %s  %s  %s\n", at, mark, row(p.style, &queue.Item{Event: e, Name: e.Name}, e.Subject, subject))
	if remark := p.remark(e); remark != "" {
		const indent = timeWidth + kindWidth + 6
		if p.columns > 0 {
			remark = runewidth.Truncate(remark, max(40, p.columns-indent-1), "…")
		}
		fmt.Fprintf(p.w, "%*s%s\n", indent, "", p.style.dim(printable(remark)))
	}
}

// remark returns the facts of an event that have no column of their own.
func (p *logPrinter) remark(e *history.Event) string {
	var parts []string
	add := func(before, value string) {
		if value != "" {
			parts = append(parts, before+value)
		}
	}
	if due, err := calendar.Parse(e.Due); err == nil {
		when := dayWords(due, p.q.Today())
		switch e.Kind {
		case history.Snoozed:
			add("until ", when)
		case history.Queued:
			add("due ", when)
		}
	}
	if e.Kind == history.OnBranch {
		add("on ", e.Branch)
	}
	if target.Protocol(e.Via) != "" {
		add("on ", e.Via)
	}
	if e.Kind == history.Marked || e.Kind == history.Unmarked {
		add("", e.MarkWords())
	}
	add("by ", e.By)
	reason := e.Reason
	switch e.Kind {
	case history.OperatorNotified:
		reason = "operator notified: " + reminder.NotifiedWords(reason)
	case history.Failed: // its other lines say what to do, as vext list --failed does
		reason, _, _ = strings.Cut(reason, "\n")
	}
	add("", text.JoinLines(reason))
	return strings.Join(parts, ", ")
}
