package history

import (
	"encoding/json"
	"time"

	"vext/internal/calendar"
)

// Kinds of events. Where the name of a kind differs from the word on disk, the word
// is older, and stays because every history has it.
const (
	Queued    = "queued"    // it was given a day
	OnBranch  = "also"      // the same commit came on another branch
	Ignored   = "ignored"   // by the policy
	Duplicate = "duplicate" // it came again
	Sent      = "sent"
	Deferred  = "deferred" // sending failed, and will be retried
	Failed    = "failed"   // it was quarantined
	Retried   = "retried"  // a person put it back
	Snoozed   = "snoozed"
	Cancelled = "cancelled"
	Missed    = "passed"   // imported after its due day, and not sent
	Replaced  = "replaced" // a trusted source contradicted the mail
	Vanished  = "vanished" // a forced update removed the commit from its branch
	// Superseded says that a commit was amended or rebased and has no reminder of
	// its own. With a Successor, the reminder is the successor's. Without one, the
	// reminder of the predecessor was sent or cancelled, and counts for this commit.
	// Supersedes is the event of the commit that is the Successor.
	Superseded  = "superseded"
	Supersedes  = "supersedes"
	Enqueued    = "handed" // a line of it is to go into the outbox for IRC
	Delivered   = "said"   // that line was delivered
	Undelivered = "unsaid" // that line will not be delivered

	OperatorNotified = "told"
	Explained        = "explained"   // the committer got a mail that the trailer is not understood
	Unconfirmed      = "unconfirmed" // the server received the mail and did not answer
	Limited          = "limited"     // the recipient's daily maximum is reached; held until Until
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
	Via        string    `json:"via,omitempty"`        // the transport, or the target on IRC
	By         string    `json:"by,omitempty"`         // the user who did it
	Reason     string    `json:"reason,omitempty"`     //
	Cause      string    `json:"cause,omitempty"`      // of Failed: CausePeriod, or empty
	Source     string    `json:"source,omitempty"`     // how it arrived, see commit.FromMail
	Until      string    `json:"until,omitempty"`      // of Deferred, Unconfirmed and Limited: no attempt before (RFC 3339)
	Clock      string    `json:"clock,omitempty"`      // the time of the previous event, when the clock was set back
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

// Describe returns the event in words, without its time and name. Times in it are
// in zone.
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

// IsFuture reports whether a recorded time is so far after now that the clock must have
// been ahead. In a history of an earlier version, such events can precede older ones.
func IsFuture(t, now time.Time) bool { return t.Sub(now) > time.Hour }
