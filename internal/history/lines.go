package history

import (
	"slices"
	"time"
)

// AlongsideMail is the reason of a Handed line that goes beside a mail, which is sent
// whatever becomes of the line.
const AlongsideMail = "beside the mail"

// A LineState is what became of a line for IRC.
type LineState int

// States of lines. A line is open from when it was handed over until the
// history says that it was told, or will not be.
const (
	LineOpen LineState = iota
	LineDelivered
	LineUndelivered
)

// A Line is a line for IRC as the history knows it.
type Line struct {
	Enqueued Event // Via is its target, Due the day of its reminder
	State    LineState
	Why      string // it was not said
	Past     bool   // a person has brought the reminder back since
}

// IsOpen reports whether it is not known what became of the line.
func (l *Line) IsOpen() bool { return l.State == LineOpen }

// IsAlongsideMail reports whether the line goes beside a mail.
func (l *Line) IsAlongsideMail() bool { return l.Enqueued.Reason == AlongsideMail }

// LinesOf returns the lines of the reminder that is due on that day, YYYYMMDD,
// but for those that were told, or not, before a person brought it back.
func (s *State) LinesOf(due string) []*Line {
	var lines []*Line
	for i := range s.Lines {
		if l := &s.Lines[i]; l.Enqueued.Due == due && !l.Past {
			lines = append(lines, l)
		}
	}
	return lines
}

// HasOpen reports whether a line of any day is open.
func (s *State) HasOpen() bool {
	return slices.ContainsFunc(s.Lines, func(l Line) bool { return l.IsOpen() })
}

// takeLines brings the lines up to date with the next event.
func (s *State) takeLines(e *Event) {
	switch e.Kind {
	case Enqueued:
		if s.open(e) == nil {
			s.Lines = append(s.Lines, Line{Enqueued: *e})
		}
	case Delivered:
		if l := s.open(e); l != nil {
			l.State = LineDelivered
		}
	case Undelivered:
		if l := s.open(e); l != nil {
			l.State, l.Why = LineUndelivered, e.Reason
		}
	case Sent: // which says it of all targets at once
		for i := range s.Lines {
			if l := &s.Lines[i]; l.IsOpen() && !l.IsAlongsideMail() && l.Enqueued.Due == e.Due {
				l.State = LineDelivered
			}
		}
	case Snoozed, Retried:
		for i := range s.Lines {
			l := &s.Lines[i]
			l.Past = l.Past || l.State == LineUndelivered || l.State == LineDelivered && e.Kind == Snoozed
		}
	}
}

// open returns the open line that an event is about, nil for none.
func (s *State) open(e *Event) *Line {
	for i := range s.Lines {
		if l := &s.Lines[i]; l.IsOpen() && l.Enqueued.Due == e.Due && l.Enqueued.Via == e.Via {
			return l
		}
	}
	return nil
}

// Lines collects from a scan of the history the states of the messages that
// have lines for IRC which are open, or were not long ago. A state says
// nothing of what was before its first line.
type Lines struct {
	Names map[string]*State
	since time.Time
}

// NewLines returns a collector that lets lines go that were closed before that
// time.
func NewLines(since time.Time) *Lines { return &Lines{map[string]*State{}, since} }

// Take takes the next event in.
func (l *Lines) Take(e *Event) {
	s := l.Names[e.Name]
	switch {
	case e.Name == "" || s == nil && e.Kind != Enqueued:
		return
	case s == nil:
		s = new(State)
		l.Names[e.Name] = s
	}
	event := *e
	if s.Take(&event); e.Time.Before(l.since) && !s.HasOpen() {
		delete(l.Names, e.Name)
	}
}
