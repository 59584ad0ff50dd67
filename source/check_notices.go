package source

import (
	"time"

	"vext/announce"
	"vext/internal/calendar"
	"vext/reminder"
	"vext/spool"
)

// maxDelay is how long an announcement may be pending.
const maxDelay = 10 * time.Minute

// announcements checks that vext serve announces commits in time.
func (k *checker) announcements() []reminder.Finding {
	if !k.q.Spool.Announces() {
		return nil
	}
	paths, err := k.q.Spool.Announcements()
	if err != nil {
		return unreadable("announcements", err)
	}
	return append([]reminder.Finding{k.pending(paths)}, k.announceState()...)
}

// pending checks the announcements at some paths, the oldest first.
func (k *checker) pending(paths []string) reminder.Finding {
	f := reminder.Finding{What: "announcements", Text: "none pending"}
	if len(paths) == 0 {
		return f
	}
	f.Text = calendar.Plural(len(paths), "announcement") + " pending"
	if t := spool.AnnouncementTime(paths[0]); !t.IsZero() && k.q.Now.Sub(t) > maxDelay {
		f.Level = reminder.Warning
		f.Text += ", the oldest of " + reminder.Ago(t, k.q.Now, k.q.Zone)
		f.Hint = "is vext serve running? see its log"
	}
	return f
}

// announceState checks the store of the announced commits.
func (k *checker) announceState() (findings []reminder.Finding) {
	for _, path := range announce.BrokenSeenStores(k.q.State) {
		findings = append(findings, reminder.Finding{
			Level: reminder.Warning, What: "announcements", Hint: "check the disk for errors; then: rm " + path,
			Text: "the store of announced commits was unreadable, and a new one was made; the old file is " + path,
		})
	}
	return findings
}
