package health

import (
	"cmp"
	"fmt"
	"time"

	"vext/internal/calendar"
	"vext/notify/irc"
	"vext/outbox"
)

// For how long a state lasts until it is reported, or in the case of rejectedLine, for
// how long it is reported.
const (
	backlogWarning  = time.Hour      // a message is pending
	backlogCritical = 24 * time.Hour // a message is pending; a reminder would go by mail now
	rejectedLine    = 24 * time.Hour // a message was rejected
)

// IRC returns the findings about IRC networks. running says whether a vext serve keeps
// connections.
func (c *Checker) IRC(running bool, networks []irc.NetworkStatus) []Finding {
	var findings []Finding
	for _, path := range outbox.Damaged(c.Queue.State) {
		findings = append(findings, Finding{
			Critical, "irc", "the outbox was damaged and replaced by an empty one; the old one, with its messages, is " + path,
			"check the disk for errors; remove the file when nobody needs it any more",
		})
	}
	for i := range networks {
		findings = append(findings, network(running, &networks[i], c.Queue.Now))
	}
	return findings
}

func network(running bool, n *irc.NetworkStatus, now time.Time) Finding {
	f := Finding{What: "irc", Hint: "see vext irc status"}
	report := func(level Level, format string, args ...any) {
		f.Level = max(f.Level, level)
		f.Text += fmt.Sprintf(format, args...)
	}
	report(OK, "%s: %s", n.Network, calendar.Plural(len(n.Channels), "target"))
	waiting, oldest := 0, now
	for _, c := range n.Channels {
		if waiting += c.Backlog; c.Backlog > 0 && c.Oldest.Before(oldest) {
			oldest = c.Oldest
		}
	}
	if waiting > 0 {
		level := OK
		switch age := now.Sub(oldest); {
		case age > backlogCritical:
			level = Critical
		case age > backlogWarning:
			level = Warning
		}
		report(level, ", %s waiting, the oldest came %s", calendar.Plural(waiting, "line"), calendar.Elapsed(now.Sub(oldest)))
	}
	switch {
	case !running && waiting > 0:
		report(Warning, "")
		f.Hint = "no vext serve keeps connections: start it, or run vext notify, which also sends what is pending"
	case running && len(n.Links) > 0 && !n.IsConnected():
		report(Warning, "; not connected: %s", cmp.Or(n.Links[0].Error, "connecting"))
	}
	for _, c := range n.Channels {
		if c.Problem != "" {
			report(Warning, "; %s: %s", c.Name, c.Problem)
		}
		if c.Bounced > 0 && now.Sub(c.LastBounced) < rejectedLine {
			report(Warning, "; %s: a line was rejected %s: %s", c.Name, calendar.Elapsed(now.Sub(c.LastBounced)), c.LastReason)
		}
	}
	if f.Level == OK {
		f.Hint = ""
	}
	return f
}
