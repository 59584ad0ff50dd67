package health

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"vext/internal/calendar"
	"vext/internal/history"
	"vext/queue"
)

// facts is what one scan of the history gathers.
type facts struct {
	queued, sent time.Time
	limited      map[string]*history.Event // the last of each message
	unclear      map[string]bool           // of each quarantined message: its period is not understood

	now    time.Time
	ahead  int           // number of events in the future
	latest time.Time     // of these events
	step   history.Event // the last that was recorded after the clock was set back
}

func (f *facts) take(e *history.Event) {
	isFuture := history.IsFuture(e.Time, f.now)
	if isFuture {
		f.ahead++
		f.latest = later(f.latest, e.Time)
	}
	if e.Clock != "" {
		f.step = *e
	}
	if _, isThere := f.unclear[e.Name]; isThere && e.Kind == history.Failed {
		f.unclear[e.Name] = e.Cause == history.CausePeriod
	}
	switch {
	case e.Kind == history.Limited:
		limited := *e
		f.limited[e.Name] = &limited
	case isFuture:
	case e.Kind == history.Queued:
		f.queued = later(f.queued, e.Time)
	case e.Kind == history.Sent:
		f.sent = later(f.sent, e.Time)
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// history reports the last commit and reminder, what waits, what is quarantined, and
// damage of the history.
func (c *Checker) history() []Finding {
	f := facts{limited: map[string]*history.Event{}, unclear: map[string]bool{}, now: c.Queue.Now}
	quarantined, quarantineErr := c.Queue.QuarantinedEntries()
	for _, file := range quarantined {
		f.unclear[file.Name] = false
	}
	damaged, err := c.Queue.History.Scan(f.take)
	if err != nil {
		return []Finding{{Critical, "history", err.Error(), ""}}
	}
	findings := append([]Finding{c.lastCommit(f.queued), {OK, "last reminder", c.Ago(f.sent), ""}}, c.waiting(&f)...)
	findings = append(findings, checkQuarantine(f.unclear, quarantineErr))
	if err := c.Queue.History.Verify(); err != nil {
		hint := "nothing is sent, because a reminder could be sent twice: restore the history from a backup, or remove " +
			filepath.Join(c.Queue.State, "history.sum") + " to continue without the lost records"
		findings = append(findings, Finding{Critical, "history", err.Error(), hint})
	}
	if damaged > 0 {
		findings = append(findings, Finding{Warning, "history", calendar.Plural(damaged, "line") + " can't be read", "see " + c.Queue.History.Dir()})
	}
	return append(findings, f.clock(c.Queue.Zone)...)
}

func (c *Checker) lastCommit(queued time.Time) Finding {
	const what = "last commit"
	seen := later(c.Queue.Spool.LastSeen(), queued)
	since := seen
	if seen.IsZero() {
		_, since = queue.Runs(c.Queue.State)
	}
	switch {
	case history.IsFuture(seen, c.Queue.Now):
		return Finding{Warning, what, c.Ago(seen), "the clock was ahead then; the next commit corrects this"}
	case c.MaxSilence > 0 && !since.IsZero() && c.since(since) > c.MaxSilence:
		return Finding{Warning, what, c.Ago(seen), "do commit mails, or hooks, still reach vext-filter?"}
	}
	return Finding{OK, what, c.Ago(seen), ""}
}

// waiting reports the reminders in the queue, and those that are held until tomorrow.
func (c *Checker) waiting(f *facts) []Finding {
	entries, err := c.Queue.Entries(calendar.Day{})
	if err != nil {
		return []Finding{{Critical, "pending", err.Error(), ""}}
	}
	held := map[string]int{} // by recipient
	entries = slices.DeleteFunc(entries, func(e queue.Entry) bool {
		_, isHeld := queue.HeldUntil(f.limited[e.Name], c.Queue.Now)
		if isHeld {
			held[f.limited[e.Name].Address]++
		}
		return isHeld
	})
	findings := []Finding{c.waitingEntries(entries)}
	if len(held) > 0 {
		findings[0].Text += ", not counting those that are held"
	}
	for _, address := range slices.Sorted(maps.Keys(held)) {
		findings = append(findings, Finding{
			Warning, "held", fmt.Sprintf("%s for %s until tomorrow", calendar.Plural(held[address], "reminder"), address),
			"commit mails, which anybody can forge, asked for more than max_per_day; see senders and max_per_day in vext.toml(5)",
		})
	}
	return findings
}

// criticalDays is for how many days a reminder must be overdue to be critical.
const criticalDays = 3

func (c *Checker) waitingEntries(entries []queue.Entry) Finding {
	const what = "pending"
	text := calendar.Plural(len(entries), "reminder")
	if len(entries) == 0 {
		return Finding{OK, what, text, ""}
	}
	today, first := c.Queue.Today(), entries[0].Day
	when := first.Short(today) + ", " + first.Distance(today)
	overdue := queue.Overdue(entries, today)
	if overdue == 0 {
		return Finding{OK, what, text + ", the next " + when, ""}
	}
	text = fmt.Sprintf("%s, %d overdue since %s", text, overdue, when)
	if today.Sub(first) >= criticalDays {
		return Finding{Critical, what, text, "vext run prints why"}
	}
	return Finding{Warning, what, text, "vext run prints why; they are retried"}
}

// checkQuarantine reports quarantined messages; unclear has whether the period of each
// is not understood.
func checkQuarantine(unclear map[string]bool, err error) Finding {
	const what = "quarantined"
	n := 0
	for _, is := range unclear {
		if is {
			n++
		}
	}
	switch {
	case err != nil:
		return Finding{Critical, what, err.Error(), ""}
	case len(unclear) == 0:
		return Finding{OK, what, "nothing", ""}
	}
	f := Finding{Warning, what, calendar.Plural(len(unclear), "message"), "see vext list --failed; " + queue.QuarantineAdvice(n, len(unclear))}
	if n > 0 {
		f.Text += fmt.Sprintf(", %d not understood", n)
	}
	return f
}

// clockMemory is for how long a clock that was set back is reported.
const clockMemory = 7 * 24 * time.Hour

// clock reports a clock that was ahead.
func (f *facts) clock(zone *time.Location) []Finding {
	const hint = "was the clock wrong, or vext run with --now? what was due until then was sent, see vext show"
	const format = "Mon 2 Jan 2006 15:04"
	from, err := time.Parse(time.RFC3339, f.step.Clock)
	text := ""
	switch {
	case err == nil && f.now.Sub(f.step.Time) <= clockMemory:
		text = fmt.Sprintf("it was set back from %s to %s", from.In(zone).Format(format), f.step.Time.In(zone).Format(format))
	case f.ahead > 0 && err != nil:
		text = fmt.Sprintf("the history has %s of the future, the latest of %s", calendar.Plural(f.ahead, "event"), f.latest.In(zone).Format(format))
	default:
		return nil
	}
	return []Finding{{Warning, "clock", text, hint}}
}
