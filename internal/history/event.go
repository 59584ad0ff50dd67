package history

import (
	"encoding/json"
	"time"

	"vext/internal/calendar"
)

// Kinds of events.
const (
	Queued    = "queued"    // it has its day
	Also      = "also"      // the same commit came on another branch
	Ignored   = "ignored"   // the policy lets it go
	Duplicate = "duplicate" // it came again
	Sent      = "sent"
	Deferred  = "deferred" // could not be sent now, will be tried again
	Failed    = "failed"   // set aside
	Retried   = "retried"  // a person put it back
	Snoozed   = "snoozed"
	Cancelled = "cancelled"
	Told      = "told"     // the operator was written to
	Passed    = "passed"   // it was due before its past was imported: not sent
	Replaced  = "replaced" // a mail's word, by what a way said that nobody can forge
	Vanished  = "vanished" // a forced update took the commit off its branch
	// Superseded says that a commit has no reminder of its own, because it was
	// amended or rebased. Its reminder is that of Successor or, when Successor is
	// empty, that of its predecessor, which was sent or cancelled. Supersedes is
	// the event of the commit that is Successor.
	Superseded = "superseded"
	Supersedes = "supersedes"
	Handed     = "handed" // a line of it is to go into the outbox for IRC
	Said       = "said"   // that line was told
	Unsaid     = "unsaid" // that line will not be told

	Explained   = "explained"   // the committer got a mail that the trailer is not understood
	Unconfirmed = "unconfirmed" // the server received it and did not answer: it may have been sent
	Limited     = "limited"     // its recipient has had the day's maximum: not before Until
)

// CausePeriod is the Cause of Failed when the period in the trailer is not
// understood.
const CausePeriod = "period"

// An Event is one line of the history: what happened to one reminder, when,
// and by whom. Days are YYYYMMDD. Fields that do not apply are empty.
type Event struct {
	Time       time.Time `json:"time"`
	Kind       string    `json:"event"`
	Name       string    `json:"name,omitempty"`       // of the message
	Address    string    `json:"address,omitempty"`    // of the person reminded
	Committer  string    `json:"committer,omitempty"`  // that person's name
	Repository string    `json:"repository,omitempty"` //
	Branch     string    `json:"branch,omitempty"`     // the branch, without refs/heads/
	Revision   string    `json:"revision,omitempty"`   //
	Key        string    `json:"key,omitempty"`        // of the commit, see commit.Commit.Key
	Subject    string    `json:"subject,omitempty"`    //
	Asked      string    `json:"asked,omitempty"`      // the trailer: "MFC after: 2 weeks"
	Due        string    `json:"due,omitempty"`        //
	Via        string    `json:"via,omitempty"`        // which way it was sent
	By         string    `json:"by,omitempty"`         // the user who did it
	Reason     string    `json:"reason,omitempty"`     //
	Cause      string    `json:"cause,omitempty"`      // of Failed, for programs: CausePeriod, or empty
	Source     string    `json:"source,omitempty"`     // which way it came, see commit.FromMail
	Until      string    `json:"until,omitempty"`      // of Deferred, Unconfirmed and Limited: not before then (RFC 3339)
	Clock      string    `json:"clock,omitempty"`      // the time of the event before, from which the clock was set back
	Successor  string    `json:"successor,omitempty"`  // the revision that Revision was amended or rebased to
}

// appendLine writes the event as one line of JSON.
func (e *Event) appendLine(b []byte) ([]byte, error) {
	line, err := json.Marshal(e)
	if err != nil {
		return b, err
	}
	return append(append(b, line...), '\n'), nil
}

// Describe says in words what the event is, without its time and name; times
// in it are in zone.
func Describe(e *Event, zone *time.Location) string {
	until := ""
	if t, err := time.Parse(time.RFC3339, e.Until); err == nil && t.After(e.Time) {
		until = t.In(zone).Format("Mon 2 Jan 15:04")
	}
	text := e.Kind
	if due, err := calendar.Parse(e.Due); err == nil && (e.Kind == Queued || e.Kind == Snoozed) {
		before := " for "
		if e.Kind == Snoozed {
			before = " until "
		}
		text += before + due.Long()
	}
	if e.Kind == Sent || e.Kind == Explained {
		text += " to " + e.Address
	}
	again := ", not again before "
	if e.Kind == Limited {
		again = ", not before "
	}
	for _, part := range []struct{ before, value string }{
		{" via ", e.Via}, {" by ", e.By}, {again, until}, {": ", e.Reason}, {"; the clock was set back from ", e.Clock},
	} {
		if part.value != "" {
			text += part.before + part.value
		}
	}
	return text
}
