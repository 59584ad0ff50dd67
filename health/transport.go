package health

import (
	"fmt"
	"time"

	"vext/internal/calendar"
	"vext/notify"
)

// How long a state lasts before it is reported. rejectedLine is different: it is how long
// a rejection is reported.
const (
	backlogWarning  = time.Hour      // a message is pending
	backlogCritical = 24 * time.Hour // a message is pending; a reminder would go by mail now
	rejectedLine    = 24 * time.Hour // a message was rejected
)

// A transportFinding is a finding about a network of IRC or an account of XMPP.
type transportFinding struct {
	Finding
	unit       string // what is delivered: a line
	recipients []notify.RecipientStatus
	now        time.Time
	pending    int
}

// newTransportFinding returns a finding that says how many recipients there are, and what is
// pending for them.
func newTransportFinding(what, name, unit string, all []notify.RecipientStatus, now time.Time) *transportFinding {
	f := &transportFinding{Finding: Finding{What: what, Hint: "see vext " + what + " status"}, unit: unit, recipients: all, now: now}
	f.report(OK, "%s: %s", name, calendar.Plural(len(all), "target"))
	oldest := now
	for _, r := range all {
		if f.pending += r.Count; r.Count > 0 && r.Oldest.Before(oldest) {
			oldest = r.Oldest
		}
	}
	if f.pending > 0 {
		f.report(backlogLevel(now.Sub(oldest)), ", %s pending, the oldest came %s", calendar.Plural(f.pending, unit), calendar.Elapsed(now.Sub(oldest)))
	}
	return f
}

// report adds words, and raises the level.
func (f *transportFinding) report(level Level, format string, args ...any) {
	f.Level = max(f.Level, level)
	f.Text += fmt.Sprintf(format, args...)
}

// finish adds the problems of the recipients, and returns the finding.
func (f *transportFinding) finish() Finding {
	for _, r := range f.recipients {
		if r.Problem != "" {
			f.report(Warning, "; %s: %s", r.Name, r.Problem)
		}
		if r.Bounced > 0 && f.now.Sub(r.LastBounced) < rejectedLine {
			f.report(Warning, "; %s: a %s was rejected %s: %s", r.Name, f.unit, calendar.Elapsed(f.now.Sub(r.LastBounced)), r.LastReason)
		}
	}
	if f.Level == OK {
		f.Hint = ""
	}
	return f.Finding
}

// backlogLevel returns the level of a message that has been pending for some time.
func backlogLevel(age time.Duration) Level {
	switch {
	case age > backlogCritical:
		return Critical
	case age > backlogWarning:
		return Warning
	}
	return OK
}
