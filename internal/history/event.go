package history

import (
	"cmp"
	"strings"
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
	// Merged says that a commit was merged to its target branches, which vext found out
	// itself. Nobody is reminded of it.
	Merged = "merged"
	// Marked says what a person has said of a commit, see Marks, and Unmarked that the
	// person has taken it back.
	Marked   = "marked"
	Unmarked = "unmarked"
	// Repeated says that a reminder, which was sent before, is due again on the day Due.
	Repeated = "repeated"
	Missed   = "passed"   // imported after its due day, and not sent
	Replaced = "replaced" // a trusted source contradicted the mail
	Vanished = "vanished" // a forced update removed the commit from its branch
	// Superseded says that a commit was amended or rebased and has no reminder of
	// its own. With a Successor, the reminder is the successor's. Without one, the
	// reminder of the predecessor was sent or cancelled, and counts for this commit.
	// Supersedes is the event of the commit that is the Successor.
	Superseded = "superseded"
	Supersedes = "supersedes"
	// Bounced says that the outbox will not deliver a message of it to the target Via.
	// With CauseFallback it goes by mail instead, and is in the queue again until then.
	Bounced = "unsaid"
	// Fallback is what Sent is for a reminder that was sent before, and bounced. It is
	// not counted a second time.
	Fallback = "fallback"
	// Enqueued and Delivered were written by versions that recorded a reminder for IRC
	// as sent only after its delivery.
	Enqueued  = "handed"
	Delivered = "said"

	OperatorNotified = "told"
	Warned           = "warned"      // the committer got a mail beside the reminder; Cause says why
	Explained        = "explained"   // the committer got a mail that the trailer is not understood
	Unconfirmed      = "unconfirmed" // the server received the mail and did not answer
	Limited          = "limited"     // the recipient's daily maximum is reached; held until Until
)

// AlongsideMail is the Reason of Enqueued for what went by mail as well.
const AlongsideMail = "beside the mail"

// CausePeriod is the Cause of Failed when the period in the trailer is not understood,
// CauseFallback that of Bounced when a mail goes instead.
const (
	CausePeriod   = "period"
	CauseFallback = "fallback"
	CauseEarly    = "early"     // of Warned: the commit will not apply
	CauseNotFound = "not-found" // of Warned: a person has called it merged, and it is not found
)

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
	Cause      string    `json:"cause,omitempty"`      // CausePeriod, CauseFallback, or empty
	Source     string    `json:"source,omitempty"`     // how it arrived, see commit.FromMail
	Until      string    `json:"until,omitempty"`      // of Deferred, Unconfirmed and Limited: no attempt before (RFC 3339)
	Clock      string    `json:"clock,omitempty"`      // the time of the previous event, when the clock was set back
	Successor  string    `json:"successor,omitempty"`  // the revision that Revision was amended or rebased to
	Target     string    `json:"target,omitempty"`     // of Merged: the branches, as "stable/15, stable/14"; of Marked: one, or "" for all
	Picked     string    `json:"picked,omitempty"`     // the commits there, in the same order; "-" for one that is not known
	Since      string    `json:"since,omitempty"`      // of Merged: when the last of them was made (RFC 3339)
	Mark       string    `json:"mark,omitempty"`       // of Marked and Unmarked: MarkDone and so on
	Other      string    `json:"other,omitempty"`      // of MarkNotAFix: the revision that is no fix of this commit
}

// kindWords are the words for kinds whose word on disk is another.
var kindWords = map[string]string{
	Bounced: "bounced", Failed: "quarantined", Fallback: "sent instead", Enqueued: "enqueued", Delivered: "delivered", OperatorNotified: "operator notified",
}

// Describe returns the event in words, without its time and name. Times in it are
// in zone.
func Describe(e *Event, zone *time.Location) string {
	until := ""
	if t, err := time.Parse(time.RFC3339, e.Until); err == nil && t.After(e.Time) {
		until = t.In(zone).Format("Mon 2 Jan 15:04")
	}
	text := cmp.Or(kindWords[e.Kind], e.Kind)
	if due, err := calendar.Parse(e.Due); err == nil && (e.Kind == Queued || e.Kind == Snoozed || e.Kind == Repeated) {
		before := " for "
		if e.Kind == Snoozed {
			before = " until "
		}
		text += before + due.Long()
	}
	if e.Kind == Marked || e.Kind == Unmarked {
		text += " " + e.MarkWords()
	}
	if e.Kind == Sent || e.Kind == Fallback || e.Kind == Explained || e.Kind == Warned {
		text += " to " + e.Address
	}
	again := ", not again before "
	if e.Kind == Limited {
		again = ", not before "
	}
	reason := e.Reason
	if e.Kind == Failed { // its other lines are advice, with ID in place of an ID
		reason, _, _ = strings.Cut(reason, "\n")
	}
	for _, part := range []struct{ before, value string }{
		{" via ", e.Via}, {" by ", e.By}, {again, until}, {": ", reason}, {"; the clock was set back from ", e.Clock},
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
