// Package health probes an installation and reports what it finds.
package health

import (
	"context"
	"fmt"
	"slices"
	"time"

	"vext/internal/calendar"
	"vext/internal/config"
	"vext/notify"
	"vext/queue"
)

// A Level is the severity of a finding. Its number is the exit status that monitoring
// plugins have for it.
type Level int

// Levels.
const (
	OK       Level = iota
	Warning        // a person should look at it
	Critical       // reminders are not sent, or can't be
)

// String returns the level as monitors print it: OK, WARNING or CRITICAL.
func (l Level) String() string { return [...]string{"OK", "WARNING", "CRITICAL"}[l] }

// MarshalText returns the level for JSON: ok, warning or critical.
func (l Level) MarshalText() ([]byte, error) {
	return []byte([...]string{"ok", "warning", "critical"}[l]), nil
}

// A Finding is the result of one probe.
type Finding struct {
	Level Level  `json:"level"`
	What  string `json:"what"` // the part of the installation
	Text  string `json:"text"`
	Hint  string `json:"hint,omitempty"` // what to do
}

// Summary returns the highest level of the findings, and one line for a monitor: the
// first finding of that level, and the number of others that are not OK.
func Summary(findings []Finding) (Level, string) {
	worst, others := Finding{}, -1
	for _, f := range findings {
		if f.Level != OK {
			others++
		}
		if f.Level > worst.Level {
			worst = f
		}
	}
	if worst.Level == OK {
		return OK, "OK: " + calendar.Plural(len(findings), "check")
	}
	line := fmt.Sprintf("%s: %s: %s", worst.Level, worst.What, worst.Text)
	if others > 0 {
		line += fmt.Sprintf(" (and %d more)", others)
	}
	return worst.Level, line
}

// A Checker probes an installation. It changes nothing.
type Checker struct {
	Queue       *queue.Queue
	Config      *config.Config
	Mail        notify.Sender // nil when none is configured
	WithoutMail bool          // reminders go to IRC only
	User        string        // that runs the check

	MaxAge     time.Duration // of the last run
	MaxSilence time.Duration // since the last commit; 0 for no limit
}

// Check returns the findings about all but the repositories and IRC. Without a usable
// state directory it does not look at mail and reminders.
func (c *Checker) Check(ctx context.Context) []Finding {
	findings := append([]Finding{c.configFile()}, c.secrets()...)
	state := c.state()
	findings = append(findings, state)
	if state.Level != Critical {
		findings = append(findings, c.mail(ctx), c.lastRun())
		findings = append(findings, c.history()...)
	}
	findings = append(findings, c.filter()...)
	findings = append(findings, c.listeners(ctx)...)
	findings = append(findings, c.webhooks(ctx)...)
	findings = append(findings, c.schedules()...)
	findings = append(findings, c.announcements()...)
	return append(findings, c.incompletePushes()...)
}

// Ago returns a time in words, as seen from the time of the check.
func (c *Checker) Ago(t time.Time) string { return calendar.Ago(t, c.Queue.Now, c.Queue.Zone) }

// since returns how long ago t was.
func (c *Checker) since(t time.Time) time.Duration { return c.Queue.Now.Sub(t) }

// A silent source may work, in a quiet project. So the limit of its silence is
// learnt from the days on which it brought commits, unless max_silence sets it.

const (
	// minSilence is how long any source may be silent: a week off is no fault.
	minSilence = 7
	// learnFrom is how many days back the commits of a source are considered.
	learnFrom = 365
	// A source has a rhythm when it brought commits on busyDays days within a span
	// of busySpan days or more. With steadyDays days, one long silence counts as an
	// exception. A source without a rhythm, but with commits on more than one day,
	// may be silent for rareSilence days.
	busyDays    = 6
	busySpan    = 28
	steadyDays  = 100
	rareSilence = 180
)

// allowed returns for how many days a source that brought commits on those days,
// oldest first, may be silent; 0 for no limit.
//
// The limit is twice its longest silence of the last year. For a source with
// commits on many days it is at most four times the second longest silence, so
// that one outage does not hide the next. A source without a rhythm may be silent
// for half a year, or for four times its longest silence if that is more. For a
// source with commits on one day only there is no limit.
func allowed(days []calendar.Day) int {
	if len(days) < 2 {
		return 0
	}
	last := days[len(days)-1]
	days = slices.DeleteFunc(slices.Clone(days), func(day calendar.Day) bool { return last.Sub(day) > learnFrom })
	var gaps []int
	for i := range days[1:] {
		gaps = append(gaps, days[i+1].Sub(days[i]))
	}
	slices.Sort(gaps)
	slices.Reverse(gaps)
	switch {
	case len(gaps) == 0: // it was silent for more than a year before
		return 4 * learnFrom
	case len(days) < busyDays || last.Sub(days[0]) < busySpan:
		return max(rareSilence, 4*gaps[0])
	}
	limit := 2 * gaps[0]
	if len(days) >= steadyDays {
		limit = min(limit, 4*gaps[1])
	}
	return max(minSilence, limit)
}

// Arrivals are when a source brought commits.
type Arrivals struct {
	Days []calendar.Day // in UTC, oldest first
	Last time.Time      // zero when never
}

func (c *Checker) seenBy(source string) Arrivals {
	return Arrivals{c.Queue.Spool.DaysSeen(source, c.Queue.Now), c.Queue.Spool.LastSeenBy(source)}
}

// AddSilence turns a finding that is OK into a warning when its source has been silent
// for longer than limit, or if that is nil, for longer than its rhythm allows. table is
// the table of max_silence in the configuration.
func (c *Checker) AddSilence(f *Finding, a Arrivals, limit *config.Duration, table string) {
	if f.Level != OK || len(a.Days) == 0 {
		return
	}
	silent := calendar.Of(c.Queue.Now, time.UTC).Sub(a.Days[len(a.Days)-1])
	text := "; silent for " + calendar.Plural(silent, "day")
	switch longest := allowed(a.Days); {
	case limit != nil:
		if limit.Duration > 0 && c.since(a.Last) > limit.Duration {
			f.Level, f.Text = Warning, fmt.Sprintf("%s%s, and max_silence is %s", f.Text, text, limit)
			f.Hint = "do its commits still arrive? see max_silence under " + table
		}
	case longest > 0 && silent > longest:
		f.Level, f.Text = Warning, fmt.Sprintf("%s%s, and never before for more than %s", f.Text, text, calendar.Plural(maxGap(a.Days), "day"))
		f.Hint = `do its commits still arrive? if the project is quiet, set a longer limit: max_silence = "365d" under ` + table + `, or "0" for none`
	}
}

// maxGap returns the longest silence between two of the days.
func maxGap(days []calendar.Day) int {
	gap := 0
	for i := range days[1:] {
		gap = max(gap, days[i+1].Sub(days[i]))
	}
	return gap
}
