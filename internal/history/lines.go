package history

import (
	"slices"
	"time"
)

// Beside is the reason of a Handed line that goes beside a mail, which is sent
// whatever becomes of the line.
const Beside = "beside the mail"

// A LineState is what became of a line for IRC.
type LineState int

// States of lines. A line is open from when it was handed over until the
// history says that it was told, or will not be.
const (
	LineOpen LineState = iota
	LineSaid
	LineUnsaid
)

// A Line is a line for IRC as the history knows it.
type Line struct {
	Handed Event // Via is its target, Due the day of its reminder
	State  LineState
	Why    string // it was not said
	Past   bool   // a person has brought the reminder back since
}

// IsOpen reports whether it is not known what became of the line.
func (l *Line) IsOpen() bool { return l.State == LineOpen }

// IsBeside reports whether the line goes beside a mail.
func (l *Line) IsBeside() bool { return l.Handed.Reason == Beside }

// LinesOf returns the lines of the reminder that is due on that day, YYYYMMDD,
// but for those that were told, or not, before a person brought it back.
func (s *Standing) LinesOf(due string) []*Line {
	var lines []*Line
	for i := range s.Lines {
		if l := &s.Lines[i]; l.Handed.Due == due && !l.Past {
			lines = append(lines, l)
		}
	}
	return lines
}

// HasOpen reports whether a line of any day is open.
func (s *Standing) HasOpen() bool {
	return slices.ContainsFunc(s.Lines, func(l Line) bool { return l.IsOpen() })
}

// takeLines brings the lines up to date with the next event.
func (s *Standing) takeLines(e *Event) {
	switch e.Kind {
	case Handed:
		if s.open(e) == nil {
			s.Lines = append(s.Lines, Line{Handed: *e})
		}
	case Said:
		if l := s.open(e); l != nil {
			l.State = LineSaid
		}
	case Unsaid:
		if l := s.open(e); l != nil {
			l.State, l.Why = LineUnsaid, e.Reason
		}
	case Sent: // which says it of all targets at once
		for i := range s.Lines {
			if l := &s.Lines[i]; l.IsOpen() && !l.IsBeside() && l.Handed.Due == e.Due {
				l.State = LineSaid
			}
		}
	case Snoozed, Retried:
		for i := range s.Lines {
			l := &s.Lines[i]
			l.Past = l.Past || l.State == LineUnsaid || l.State == LineSaid && e.Kind == Snoozed
		}
	}
}

// open returns the open line that an event is about, nil for none.
func (s *Standing) open(e *Event) *Line {
	for i := range s.Lines {
		if l := &s.Lines[i]; l.IsOpen() && l.Handed.Due == e.Due && l.Handed.Via == e.Via {
			return l
		}
	}
	return nil
}

// Lines collects from a scan of the history the standings of the messages that
// have lines for IRC which are open, or were not long ago. A standing says
// nothing of what was before its first line.
type Lines struct {
	Names map[string]*Standing
	since time.Time
}

// NewLines returns a collector that lets lines go that were closed before that
// time.
func NewLines(since time.Time) *Lines { return &Lines{map[string]*Standing{}, since} }

// Take takes the next event in.
func (l *Lines) Take(e *Event) {
	s := l.Names[e.Name]
	switch {
	case e.Name == "" || s == nil && e.Kind != Handed:
		return
	case s == nil:
		s = new(Standing)
		l.Names[e.Name] = s
	}
	event := *e
	if s.take(&event); e.Time.Before(l.since) && !s.HasOpen() {
		delete(l.Names, e.Name)
	}
}
