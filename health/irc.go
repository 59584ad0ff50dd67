package health

import (
	"cmp"
	"time"

	"vext/announce"
	"vext/internal/calendar"
	"vext/notify/irc"
	"vext/outbox"
	"vext/spool"
)

// maxAnnounceDelay is how long an announcement may wait.
const maxAnnounceDelay = 10 * time.Minute

// announcements reports pending announcements, which vext serve sends, and damaged seen
// stores.
func (c *Checker) announcements() []Finding {
	const what = "announcements"
	announces, err := c.Queue.Spool.Announces()
	switch {
	case err != nil || announces:
	case len(c.Config.Announce) > 0:
		return []Finding{{Warning, what, "[[announce]] is configured, but vext serve has not been started with it", "start vext serve, or restart it: vext run announces nothing"}}
	default:
		return nil
	}
	paths, listErr := c.Queue.Spool.Announcements()
	if err = cmp.Or(err, listErr); err != nil {
		return []Finding{{Critical, what, err.Error(), ""}}
	}
	f := Finding{What: what, Text: "none pending"}
	if len(paths) > 0 {
		f.Text = calendar.Plural(len(paths), "announcement") + " pending"
		if t := spool.AnnouncementTime(paths[0]); !t.IsZero() && c.since(t) > maxAnnounceDelay {
			f.Level = Warning
			f.Text += ", the oldest of " + c.Ago(t)
			f.Hint = "is vext serve running? see its log"
		}
	}
	findings := []Finding{f}
	for _, path := range announce.DamagedSeenStores(c.Queue.State) {
		findings = append(findings, Finding{
			Warning, what, "the store of announced commits was unreadable, and a new one was made; the old file is " + path, "check the disk for errors; then: rm " + path,
		})
	}
	return findings
}

// IRC returns the findings about IRC networks. running says whether a vext serve keeps
// connections.
func (c *Checker) IRC(running bool, networks []irc.NetworkStatus) []Finding {
	var findings []Finding
	for _, path := range outbox.Damaged(c.Queue.State) {
		findings = append(findings, Finding{
			Critical, "outbox", "the outbox was damaged and replaced by an empty one; the old one, with its messages, is " + path,
			"check the disk for errors; remove the file when nobody needs it any more",
		})
	}
	for i := range networks {
		findings = append(findings, network(running, &networks[i], c.Queue.Now))
	}
	return findings
}

func network(running bool, n *irc.NetworkStatus, now time.Time) Finding {
	f := newTransportFinding("irc", n.Network, "line", n.States(), now)
	switch {
	case !running && f.pending > 0:
		f.report(Warning, "")
		f.Hint = "no vext serve keeps connections: start it, or run vext notify, which also sends what is pending"
	case running && len(n.Links) > 0 && !n.IsConnected():
		f.report(Warning, "; not connected: %s", cmp.Or(n.Links[0].Error, "connecting"))
	}
	return f.finish()
}
