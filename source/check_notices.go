package source

import (
	"time"

	"vext/announce"
	"vext/internal/calendar"
	"vext/reminder"
	"vext/spool"
)

// noticeDelay is how long a notice may wait before somebody should look.
const noticeDelay = 10 * time.Minute

// notices is about what waits to be announced: nothing does for long while vext
// serve runs.
func (k *checker) notices() []reminder.Finding {
	if !k.q.Spool.Announces() {
		return nil
	}
	paths, err := k.q.Spool.Announcements()
	if err != nil {
		return unreadable("notices", err)
	}
	return append([]reminder.Finding{k.waiting(paths)}, k.keptNotices()...)
}

// waiting is about the notices at some paths, the oldest first.
func (k *checker) waiting(paths []string) reminder.Finding {
	f := reminder.Finding{What: "notices", Text: "none waits to be announced"}
	if len(paths) == 0 {
		return f
	}
	f.Text = calendar.Plural(len(paths), "notice") + " to be announced"
	if t := spool.AnnouncementTime(paths[0]); !t.IsZero() && k.q.Now.Sub(t) > noticeDelay {
		f.Level = reminder.LookAt
		f.Text += ", the oldest of " + reminder.Ago(t, k.q.Now, k.q.Zone)
		f.Hint = "vext serve announces them; does it run? Its log says what goes wrong"
	}
	return f
}

// keptNotices is about the directory of the notices, and the memory of what was
// announced.
func (k *checker) keptNotices() (findings []reminder.Finding) {
	if mend := k.q.Spool.PermissionFix(); mend != "" {
		findings = append(findings, reminder.Finding{
			Level: reminder.LookAt, What: "notices", Hint: mend,
			Text: "the directory has another group or mode than spool: who may hand over a reminder may not be able to have a commit announced",
		})
	}
	for _, path := range announce.BrokenSeenStores(k.q.State) {
		findings = append(findings, reminder.Finding{
			Level: reminder.LookAt, What: "notices", Hint: "is the disk sound? Once that is settled: rm " + path,
			Text: "what was announced could not be read, and was begun anew: " + path,
		})
	}
	return findings
}
