package reminder

import (
	"strings"

	"vext/internal/text"
	"vext/templates"
)

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
