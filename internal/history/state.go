package history

import (
	"time"

	"vext/internal/commit"
)

// A State is what has become of one message or one commit, by its events.
type State struct {
	Done     bool   // sent, cancelled or passed, and not snoozed since
	Sent     bool   // and of these, sent
	Moved    bool   // or its reminder is that of its successor, unless it comes back
	Queued   *Event // the last time it was given a day; nil if never
	Snoozed  string // the day it was snoozed to, if that was the last word
	PutOff   *Event // by which it was snoozed to that day
	Branches []string
	Ended    *Event     // by which it was Done; nil when it is not
	Vanished *Event     // the commit is no longer on its branch; nil when it is
	Tried    *Deferrals // nil when it was not tried to be sent
	Limited  *Event     // its recipient has had the day's maximum; nil when it has not
	Failed   *Event     // by which it was quarantined; nil when it was not, or was put back since
	Repeated bool       // it came again, and said the same
	Lines    []Line     // for IRC, of all days
}

// Deferrals count the attempts to send that failed and may yet succeed.
type Deferrals struct {
	Count int       // since it was given its day, or put back
	Taken int       // of these, those of which a server may have taken the mail
	First time.Time // when the first was
	Until time.Time // not to be tried again before
	Why   string    // the last failed
}

// Take updates the state with the next event, and keeps the event.
func (s *State) Take(e *Event) {
	s.takeLines(e)
	switch e.Kind {
	case Queued:
		s.Queued, s.Vanished, s.Failed = e, nil, nil
		if s.Moved { // it was brought back
			s.Done, s.Moved, s.Ended = false, false, nil
		}
	case OnBranch:
		s.Repeated = true
		s.Branches, s.Vanished = append(s.Branches, e.Branch), nil
	case Duplicate:
		s.Repeated = true
		if e.Source == commit.FromHook || e.Source == commit.FromFollow {
			s.Vanished = nil // the repository has it again
		}
	case Vanished:
		s.Vanished = e
	case Failed:
		s.Failed = e
	case Sent, Cancelled, Missed, Replaced: // the last has no key: its commit waits under another name
		if s.wasSnoozedSince(e) {
			return
		}
		s.Done, s.Sent, s.Moved, s.Ended, s.Snoozed, s.PutOff, s.Tried, s.Limited = true, e.Kind == Sent, false, e, "", nil, nil, nil
	case Superseded:
		s.Done, s.Sent, s.Moved, s.Ended, s.Snoozed, s.PutOff, s.Tried, s.Limited = true, false, e.Successor != "", e, "", nil, nil, nil
	case Snoozed:
		if s.Queued == nil { // before it was given a day
			s.Queued = e
		}
		s.Done, s.Sent, s.Moved, s.Ended, s.Snoozed, s.PutOff, s.Tried, s.Limited, s.Failed = false, false, false, nil, e.Due, e, nil, nil, nil
	case Retried:
		s.Tried, s.Limited, s.Failed = nil, nil, nil
	case Limited:
		s.Limited = e
	case Deferred, Unconfirmed:
		s.takeDeferral(e)
	}
}

// wasSnoozedSince reports whether a reminder was sent and then snoozed, although
// the two events stand in the opposite order. An earlier version put each event
// into the file of its own year, so that events recorded with a clock that was
// ahead stand behind later ones.
func (s *State) wasSnoozedSince(sent *Event) bool {
	return sent.Kind == Sent && s.Snoozed != "" && sent.Due != "" && sent.Due < s.Snoozed && s.Queued != nil && s.Queued.Name == sent.Name
}

func (s *State) takeDeferral(e *Event) {
	if s.Tried == nil {
		s.Tried = &Deferrals{First: e.Time}
	}
	d := s.Tried
	if d.Count++; e.Kind == Unconfirmed {
		d.Taken++
	}
	if e.Time.Before(d.First) { // the clock was ahead
		d.First = e.Time
	}
	d.Until, _ = time.Parse(time.RFC3339, e.Until)
	d.Why = e.Reason
}

// Deferrals returns the attempts to send that failed, none when there were
// none.
func (s *State) Deferrals() Deferrals {
	if s.Tried == nil {
		return Deferrals{}
	}
	return *s.Tried
}

// IsKnown reports whether the commit was given a day, or is done.
func (s *State) IsKnown() bool { return s.Queued != nil || s.Done }
