package reminder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"vext/internal/calendar"
	"vext/internal/disk"
	"vext/internal/history"
	"vext/queue"
)

// A Level is the severity of a finding, and the exit status of vext check.
type Level int

// Levels of findings.
const (
	OK       Level = iota
	Warning        // somebody should look at it
	Critical       // reminders are not sent, or can't be
)

func (l Level) String() string { return [...]string{"OK", "WARNING", "CRITICAL"}[l] }

// MarshalText returns the level's name in lower case.
func (l Level) MarshalText() ([]byte, error) { return []byte(strings.ToLower(l.String())), nil }

// A Finding is the result of one check of the service.
type Finding struct {
	Level Level  `json:"level"`
	What  string `json:"what"`
	Text  string `json:"text"`
	Hint  string `json:"hint,omitempty"`
}

// Limits are the ages from which a finding is a Warning.
type Limits struct {
	MaxAge     time.Duration // of the last run
	MaxSilence time.Duration // since a commit was seen; 0 for no limit
}

// Check checks the service, and changes nothing.
func (s *Service) Check(ctx context.Context, limits Limits) []Finding {
	findings := []Finding{s.checkState()}
	if findings[0].Level == Critical {
		return findings
	}
	findings = append(findings, s.checkMail(ctx), s.checkRun(limits.MaxAge))
	return append(findings, s.checkHistory(limits.MaxSilence)...)
}

// checkState checks that the state directory exists, is writable, and lies on one
// file system, which renames need.
func (s *Service) checkState() Finding {
	const what = "state directory"
	state := s.Queue.State
	info, err := os.Stat(state)
	switch {
	case err != nil:
		return Finding{Critical, what, err.Error(), "make it: mkdir -p -m 750 " + state}
	case !info.IsDir():
		return Finding{Critical, what, state + " is not a directory", ""}
	}
	for _, dir := range []string{"", "tmp", "spool", "queue", "failed", "history", "history/done"} {
		path := filepath.Join(state, dir)
		_, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it will be made
		}
		if err != nil {
			return Finding{Critical, what, err.Error(), ""}
		}
		if unix.Access(path, unix.W_OK|unix.X_OK) != nil {
			return Finding{Critical, what, path + " can't be written to", "run vext as the user that owns it"}
		}
		if !disk.SameFileSystem(state, path) {
			return Finding{Critical, what, path + " is on another file system than " + state, "a rename can't cross from one to the other; keep all of it on one"}
		}
	}
	if err := s.Queue.Spool.CanWrite(); err != nil {
		return Finding{Critical, what, err.Error(), "nothing can be received or recorded until there is space on the disk"}
	}
	return Finding{OK, what, state, ""}
}

func (s *Service) checkMail(ctx context.Context) Finding {
	const what = "mail"
	if s.Mail == nil {
		return Finding{Critical, what, "no transport is configured", ""}
	}
	if s.WithoutMail {
		return Finding{OK, what, "off: nobody may be written to, and IRC is configured", ""}
	}
	if err := s.Mail.Check(ctx); err != nil {
		return Finding{Critical, what, err.Error(), "see the key via in vext.toml(5)"}
	}
	if len(s.Queue.Policy.Allow) == 0 {
		return Finding{Warning, what, s.Mail.String() + " can be reached, but nobody may be written to", `list who may: allow = ["*@example.org"] under [reminders]`}
	}
	return Finding{OK, what, s.Mail.String() + " can be reached", ""}
}

func (s *Service) checkRun(maxAge time.Duration) Finding {
	const what = "last run"
	if holder, held := queue.HeldBy(s.Queue.State); held && s.Queue.Now.Sub(holder.Since) > 2*MaxRun {
		return Finding{Critical, what, "still running: " + holder.String(), "see what that process waits for; if it hangs, end it"}
	}
	last, _ := queue.Runs(s.Queue.State)
	if last.IsZero() {
		return Finding{Warning, what, "never", "run \"vext run\" from cron, or \"vext serve\""}
	}
	text := s.ago(last)
	if last.Sub(s.Queue.Now) > time.Hour {
		return Finding{Warning, what, text, "was the clock wrong, or vext run with --now?"}
	}
	if s.Queue.Now.Sub(last) > maxAge {
		return Finding{Warning, what, text, "is cron, or vext serve, still running?"}
	}
	return Finding{OK, what, text, ""}
}

// checkHistory makes all findings that need the history, in one scan.
func (s *Service) checkHistory(maxSilence time.Duration) []Finding {
	var queued, sent time.Time
	lines := history.NewLines(s.Queue.Now)
	held := map[string]*history.Event{}
	failures, failErr := s.Queue.QuarantinedFiles()
	unclear := map[string]bool{} // the names of those that are not understood
	for i := range failures {
		unclear[failures[i].Name] = false
	}
	clock := &clockCheck{now: s.Queue.Now}
	damaged, err := s.Queue.History.Scan(func(e *history.Event) {
		lines.Take(e)
		clock.take(e)
		if _, isThere := unclear[e.Name]; isThere && e.Kind == history.Failed {
			unclear[e.Name] = e.Cause == history.CausePeriod
		}
		switch {
		case e.Kind == history.Limited:
			limited := *e
			held[e.Name] = &limited
		case isFuture(e.Time, s.Queue.Now):
		case e.Kind == history.Queued && e.Time.After(queued):
			queued = e.Time
		case e.Kind == history.Sent && e.Time.After(sent):
			sent = e.Time
		}
	})
	if err != nil {
		return []Finding{{Critical, "history", err.Error(), ""}}
	}
	findings := []Finding{s.checkSeen(queued, maxSilence), {OK, "last reminder", s.ago(sent), ""}}
	findings = append(findings, s.checkWaiting(lines, held)...)
	findings = append(findings, checkFailed(unclear, failErr))
	if err := s.Queue.History.Verify(); err != nil {
		findings = append(findings, Finding{Critical, "history", err.Error(), lostHint(s.Queue.State)})
	}
	if damaged > 0 {
		findings = append(findings, Finding{Warning, "history", fmt.Sprintf("%s can't be read", calendar.Plural(damaged, "line")), "see " + s.Queue.History.Dir()})
	}
	return append(findings, clock.findings(s.Queue.Zone)...)
}

// lostHint returns the hint for a history that has lost records.
func lostHint(state string) string {
	return "nothing is sent, because a reminder could be sent twice: restore the history from a backup, or remove " +
		filepath.Join(state, "history.sum") + " to continue without the lost records"
}

// A clockCheck finds out whether the clock was ahead.
type clockCheck struct {
	now    time.Time
	ahead  int           // events of the future
	latest time.Time     // of these
	step   history.Event // the last that was recorded after the clock was set back
}

func (c *clockCheck) take(e *history.Event) {
	if isFuture(e.Time, c.now) {
		if c.ahead++; e.Time.After(c.latest) {
			c.latest = e.Time
		}
	}
	if e.Clock != "" {
		c.step = *e
	}
}

// clockMemory is for how long a clock that was set back is reported.
const clockMemory = 7 * 24 * time.Hour

func (c *clockCheck) findings(zone *time.Location) []Finding {
	const hint = "was the clock wrong, or vext run with --now? what was due until then was sent, see vext show"
	const format = "Mon 2 Jan 2006 15:04"
	from, err := time.Parse(time.RFC3339, c.step.Clock)
	switch {
	case err == nil && c.now.Sub(c.step.Time) <= clockMemory:
		text := fmt.Sprintf("it was set back from %s to %s", from.In(zone).Format(format), c.step.Time.In(zone).Format(format))
		return []Finding{{Warning, "clock", text, hint}}
	case c.ahead > 0 && err != nil:
		text := fmt.Sprintf("the history has %s of the future, the latest of %s", calendar.Plural(c.ahead, "event"), c.latest.In(zone).Format(format))
		return []Finding{{Warning, "clock", text, hint}}
	}
	return nil
}

func (s *Service) checkSeen(queued time.Time, maxSilence time.Duration) Finding {
	const what = "last commit"
	seen := s.Queue.Spool.LastSeen()
	if queued.After(seen) {
		seen = queued
	}
	_, first := queue.Runs(s.Queue.State)
	since := seen
	if seen.IsZero() {
		since = first
	}
	if isFuture(seen, s.Queue.Now) {
		return Finding{Warning, what, s.ago(seen), "the clock was ahead then; the next commit corrects this"}
	}
	if maxSilence > 0 && !since.IsZero() && s.Queue.Now.Sub(since) > maxSilence {
		return Finding{Warning, what, s.ago(seen), "do commit mails, or hooks, still reach vext-filter?"}
	}
	return Finding{OK, what, s.ago(seen), ""}
}

// checkWaiting checks the pending reminders, and those of them that are held until
// the next day.
func (s *Service) checkWaiting(lines *history.Lines, held map[string]*history.Event) []Finding {
	entries, err := s.Queue.Entries(calendar.Day{})
	if err != nil {
		return []Finding{{Critical, "waiting", err.Error(), ""}}
	}
	counts := map[string]int{} // by recipient
	entries = slices.DeleteFunc(entries, func(e queue.Entry) bool {
		is := isHeld(held[e.Name], s.Queue.Now)
		if is {
			counts[held[e.Name].Address]++
		}
		return is
	})
	findings := []Finding{s.checkEntries(entries, lines)}
	if len(counts) > 0 {
		findings[0].Text += ", beside what is held"
	}
	for _, address := range slices.Sorted(maps.Keys(counts)) {
		findings = append(findings, Finding{
			Warning, "held", fmt.Sprintf("%s for %s until tomorrow", calendar.Plural(counts[address], "reminder"), address),
			"commit mails, which anybody can forge, asked for more than max_per_day; see senders and max_per_day in vext.toml(5)",
		})
	}
	return findings
}

func (s *Service) checkEntries(entries []queue.Entry, lines *history.Lines) Finding {
	const what = "waiting"
	text := calendar.Plural(len(entries), "reminder")
	all := len(entries)
	if entries = s.notForIRC(entries, lines); len(entries) < all {
		text += fmt.Sprintf(", %d of them for IRC", all-len(entries))
	}
	if len(entries) == 0 {
		return Finding{OK, what, text, ""}
	}
	first := entries[0].Day
	when := first.Short(s.Queue.Today()) + ", " + first.Distance(s.Queue.Today())
	overdue := s.overdue(entries)
	switch late := s.Queue.Today().Sub(first); {
	case overdue == 0:
		return Finding{OK, what, text + ", the next " + when, ""}
	case late >= criticalAfter:
		return Finding{Critical, what, fmt.Sprintf("%s, %d overdue since %s", text, overdue, when), "vext run prints why"}
	default:
		return Finding{Warning, what, fmt.Sprintf("%s, %d overdue since %s", text, overdue, when), "vext run prints why; they are retried"}
	}
}

// notForIRC leaves out the entries that are pending in the outbox for IRC, and not
// overdue there.
func (s *Service) notForIRC(entries []queue.Entry, lines *history.Lines) []queue.Entry {
	return slices.DeleteFunc(entries, func(e queue.Entry) bool {
		standing := lines.Names[e.Name]
		return standing != nil && slices.ContainsFunc(standing.LinesOf(e.Day.String()), func(l *history.Line) bool {
			return l.IsOpen() && !l.IsAlongsideMail() && s.Queue.Now.Sub(l.Enqueued.Time).Abs() < ircOverdue
		})
	})
}

// ircOverdue is how old a line is that a daily run should have sent as a mail.
const ircOverdue = 24 * time.Hour

// criticalAfter is the number of days without sending after which overdue reminders
// are Critical.
const criticalAfter = 3

// overdue counts the entries whose day is past.
func (s *Service) overdue(entries []queue.Entry) int {
	n := 0
	for n < len(entries) && entries[n].Day.Before(s.Queue.Today()) {
		n++
	}
	return n
}

// checkFailed checks the quarantined messages; unclear has for each name whether the
// trailer is not understood.
func checkFailed(unclear map[string]bool, err error) Finding {
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
	case len(unclear) > 0:
		f := Finding{Warning, what, calendar.Plural(len(unclear), "message"), "see vext list --failed; " + FailedAdvice(n, len(unclear))}
		if n > 0 {
			f.Text += fmt.Sprintf(", %d not understood", n)
		}
		return f
	}
	return Finding{OK, what, "nothing", ""}
}

// FailedAdvice returns what to do about quarantined messages, of which so many are
// not understood. Retrying these changes nothing.
func FailedAdvice(unclear, all int) string {
	const give, retry = "give what is not understood a day (vext snooze ID 2 weeks), or drop it (vext cancel ID)", "vext retry --all"
	switch unclear {
	case 0:
		return "once the cause is fixed, " + retry
	case all:
		return give
	}
	return give + "; the rest, once its cause is fixed: " + retry
}

// ago is Ago at the time of the run.
func (s *Service) ago(t time.Time) string { return Ago(t, s.Queue.Now, s.Queue.Zone) }

// Ago returns the day and time of t, and how long ago that is.
func Ago(t, now time.Time, zone *time.Location) string {
	if t.IsZero() {
		return "none yet"
	}
	distance := calendar.Of(t, zone).Distance(calendar.Of(now, zone))
	if d := now.Sub(t); d >= 0 && d < 24*time.Hour {
		distance = Elapsed(d)
	}
	return t.In(zone).Format("Mon 2 Jan 2006 15:04") + ", " + distance
}

// Elapsed returns a duration in its largest unit: "3 hours ago".
func Elapsed(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return calendar.Plural(int(d/time.Minute), "minute") + " ago"
	case d < 24*time.Hour:
		return calendar.Plural(int(d/time.Hour), "hour") + " ago"
	}
	return calendar.Plural(int(d/(24*time.Hour)), "day") + " ago"
}
