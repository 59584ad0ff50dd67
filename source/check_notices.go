package source

import (
	"os"
	"time"

	"vext/internal/calendar"
	"vext/reminder"
)

// noticeDelay is how long a notice may wait before somebody should look.
const noticeDelay = 10 * time.Minute

// notices is about what waits to be announced: nothing does for long while vext
// serve runs.
func (k *checker) notices() []reminder.Finding {
	if !k.q.Spool.Announces() {
		return nil
	}
	paths, err := k.q.Spool.Notices()
	if err != nil {
		return unreadable("notices", err)
	}
	finding := reminder.Finding{What: "notices", Text: "none waits to be announced"}
	if len(paths) == 0 {
		return []reminder.Finding{finding}
	}
	finding.Text = calendar.Plural(len(paths), "notice") + " to be announced"
	if info, err := os.Stat(paths[0]); err == nil && k.q.Now.Sub(info.ModTime()) > noticeDelay {
		finding.Level = reminder.LookAt
		finding.Text += ", the oldest of " + reminder.Ago(info.ModTime(), k.q.Now, k.q.Zone)
		finding.Hint = "vext serve announces them; does it run? Its log says what goes wrong"
	}
	return []reminder.Finding{finding}
}
