package reminder

import (
	"slices"
	"strings"
	"time"

	"vext/internal/history"
	"vext/internal/target"
	"vext/internal/text"
	"vext/notify"
	"vext/queue"
	"vext/templates"
)

// keyPrefix begins the keys of lines that are reminders.
const keyPrefix = "reminder "

// lineKey identifies the line of one reminder for one target, as an event names
// these: the same at every try, another after a snooze. A password in the
// target's URL is no part of it.
func lineKey(e *history.Event) string { return keyPrefix + e.Name + " " + e.Due + " " + e.Via }

// line returns the line that tells a target of a message.
func (s *Service) line(handed *history.Event, to *target.Target, m *queue.Message, w Words) (notify.Message, error) {
	text, err := s.lineText(w)
	return notify.Message{Target: to.URL(), Text: text, Project: m.Repository, Key: lineKey(handed), Reminder: true}, err
}

// maxLine is how long a line may be without the URL at its end, in bytes. A
// server takes 512 with all that stands around it (RFC 2812, section 2.3).
const maxLine = 400

// lineText returns the words of a line. Of a subject that is too long the
// beginning is said; a URL that no line has room for is left out.
func (s *Service) lineText(w Words) (string, error) {
	if len(w.URL) > maxLine {
		w.URL = ""
	}
	line, err := s.oneLine(w)
	if over := len(line) - len(w.URL) - maxLine; over > 0 {
		w.Subject = text.Shorten(w.Subject, max(0, len(w.Subject)-over-len("…")))
		line, err = s.oneLine(w)
	}
	if len(line)-len(w.URL) > maxLine && err == nil { // the rest of it is too long as well
		before, atEnd := strings.CutSuffix(line, w.URL)
		line = text.Shorten(before, maxLine-len(" …"))
		if atEnd && w.URL != "" {
			line += " " + w.URL
		}
	}
	return line, err
}

// oneLine executes the template, and makes blanks of the line ends in it.
func (s *Service) oneLine(w Words) (string, error) {
	said, err := s.Templates.Text(templates.ReminderIRC, w)
	return strings.Join(strings.Fields(text.OneLine(said)), " "), err
}

// maxIRCWait is after how long a daily run should have sent a mail instead of a message
// to IRC.
const maxIRCWait = 24 * time.Hour

// WithoutIRC removes the entries that wait for IRC, and for no longer than they may.
func WithoutIRC(entries []queue.Entry, lines *history.Lines, now time.Time) []queue.Entry {
	return slices.DeleteFunc(entries, func(e queue.Entry) bool {
		state := lines.Names[e.Name]
		return state != nil && slices.ContainsFunc(state.LinesOf(e.Day.String()), func(l *history.Line) bool {
			return l.IsOpen() && !l.IsAlongsideMail() && now.Sub(l.Enqueued.Time).Abs() < maxIRCWait
		})
	})
}
