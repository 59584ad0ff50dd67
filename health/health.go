// Package health probes an installation and reports what it finds.
package health

import (
	"context"
	"fmt"
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
	switch {
	case worst.Level == OK:
		return OK, "OK: " + calendar.Plural(len(findings), "check")
	case others > 0:
		return worst.Level, fmt.Sprintf("%s: %s: %s (and %d more)", worst.Level, worst.What, worst.Text, others)
	}
	return worst.Level, fmt.Sprintf("%s: %s: %s", worst.Level, worst.What, worst.Text)
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
