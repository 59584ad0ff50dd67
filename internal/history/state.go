package history

import (
	"slices"
	"time"

	"vext/internal/commit"
)

// A State is what has become of one message or one commit, by its events.
type State struct {
	Done     bool // sent, cancelled, merged or missed, and not snoozed since
	Sent     bool // Done because it was sent
	Moved    bool // Done because its successor has the reminder, unless the commit comes back
	Repeated bool // it came again with the same content
	Fallback bool // it was sent, has bounced, and goes by mail instead

	Queued    *Event     // that last gave it its day; nil if never
	Snoozed   string     // the day to which it was snoozed, or repeated, if that came last
	PutOff    *Event     // by which it was snoozed to that day
	Ended     *Event     // by which it is Done
	Vanished  *Event     // by which it left its branch; nil when it is there
	Tried     *Deferrals // the failed attempts to send it; nil for none
	Limited   *Event     // by which it was last held
	Failed    *Event     // by which it was quarantined; nil when it was not, or was put back since
	Handed    *Event     // by which an earlier version enqueued it without recording it as sent
	Branches  []string   // other branches on which it came
	Explained []*Event   // mails to the committer that the trailer is not understood
	Warned    []*Event   // mails to the committer beside the reminder
	Bounces   []*Event   // since it was last snoozed or put back

	sentPutOff *Event // PutOff, when it was sent
}

// HasBounced reports whether the message for a target of the reminder that was due on a
// day, YYYYMMDD, has bounced.
func (s *State) HasBounced(due, via string) bool {
	return slices.ContainsFunc(s.Bounces, func(e *Event) bool { return e.Due == due && e.Via == via })
}

// HasWarned reports whether the committer got a mail for a cause.
func (s *State) HasWarned(cause string) bool {
	return slices.ContainsFunc(s.Warned, func(e *Event) bool { return e.Cause == cause })
}

// Deferrals count the attempts to send that failed and may yet succeed.
type Deferrals struct {
	Count int       // since it was given its day, or put back
	Taken int       // of these, those of which a server may have taken the mail
	First time.Time // when the first was
	Until time.Time // not to be retried before
	Why   string    // the last failed
}

// Take updates the state with the next event, and keeps the event.
func (s *State) Take(e *Event) {
	switch e.Kind {
	case Queued:
		s.Queued, s.Vanished, s.Failed = e, nil, nil
		if s.Moved { // it was brought back
			s.Done, s.Moved, s.Ended = false, false, nil
		}
		if e.By != "" { // a person asked after the commit was made, whatever was before
			s.end(nil, false, false)
			s.Bounces, s.Fallback, s.Handed = nil, false, nil
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
	case Sent, Fallback, Cancelled, Merged, Missed, Replaced: // the last has no key: its commit waits under another name
		if s.wasSnoozedSince(e) {
			return
		}
		s.sentPutOff, s.Fallback = s.PutOff, false
		s.end(e, e.Kind == Sent || e.Kind == Fallback, false)
	case Bounced:
		s.Bounces = append(s.Bounces, e)
		if e.Cause == CauseFallback && s.Sent && s.Ended.Due == e.Due {
			s.Done, s.Sent, s.Fallback, s.Ended, s.PutOff = false, false, true, nil, s.sentPutOff
		}
	case Enqueued:
		s.Handed = e
	case Superseded:
		s.end(e, false, e.Successor != "")
	case Snoozed:
		if s.Queued == nil { // before it was given a day
			s.Queued = e
		}
		s.end(nil, false, false)
		s.Snoozed, s.PutOff = e.Due, e
		s.Failed, s.Bounces, s.Fallback, s.Handed = nil, nil, false, nil
	case Repeated:
		s.end(nil, false, false)
		s.Snoozed, s.Fallback, s.Handed = e.Due, false, nil
	case Retried:
		s.Tried, s.Limited, s.Failed, s.Bounces = nil, nil, nil, nil
	case Limited:
		s.Limited = e
	case Warned:
		s.Warned = append(s.Warned, e)
	case Explained:
		s.Explained = append(s.Explained, e)
	case Deferred, Unconfirmed:
		s.takeDeferral(e)
	}
}

// end makes the state that of a reminder that is done by e, or of one that is pending
// again when e is nil.
func (s *State) end(e *Event, sent, moved bool) {
	s.Done, s.Sent, s.Moved, s.Ended = e != nil, sent, moved, e
	s.Snoozed, s.PutOff, s.Tried, s.Limited = "", nil, nil, nil
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
