package notify

import (
	"context"
	"time"
)

// A Message is text for one recipient, a channel, a room or a person, on its way out.
type Message struct {
	Target  string // a URL as target.Parse takes it
	Text    string // on IRC each line is delivered as one message, in order; empty to join a channel only
	Project string // whose commits are counted when a backlog is summed up; may be empty
	Commits int    // how many commits the text announces, for that count; 0 for none
	Key     string // for deduplication and Outcomes; empty when neither is needed

	Since    time.Time // when it arrived, if before it is put; zero for now
	Reminder bool      // never summed up, however long it has been pending
	Deadline time.Time // from which on Bounces bounces it; zero for never
}

// An Outcome is what became of a message that has a key.
type Outcome struct {
	Accepted  time.Time // when the outbox took it
	Delivered time.Time // when the server confirmed it; zero when it has not
	Rejected  string    // why it has bounced; "" when it has not
	LastError string    // why it has not been delivered yet; "" when nothing is known
}

// A Bounce is a message that will not be delivered.
type Bounce struct {
	Key    string
	Target string // the URL of the recipient, without a secret
	Reason string
}

// An Outbox delivers messages. What Put has taken survives a crash and is retried until
// it is delivered or bounces, in order for each recipient. It is safe for use by many
// goroutines.
type Outbox interface {
	// Put returns nil when all messages are on disk. A message whose key is known is
	// ignored: it was put before. After an error none was taken; a *PermanentError
	// says that none ever will.
	Put(ctx context.Context, messages ...Message) error
	// Outcomes returns what became of the messages with these keys, without those
	// that are not known.
	Outcomes(ctx context.Context, keys ...string) (map[string]Outcome, error)
	// Pending returns the keys of all messages that are neither delivered nor bounced.
	Pending(ctx context.Context) ([]string, error)
	// Bounces returns the messages with keys that have bounced and whose keys have not
	// been forgotten. Before that it bounces the pending ones that are not in flight and
	// whose deadline is over at that time, or so far ahead that the clock was wrong.
	Bounces(ctx context.Context, now time.Time) ([]Bounce, error)
	// Bounce bounces those of the messages with these keys that are pending and not in
	// flight, for that reason.
	Bounce(ctx context.Context, reason string, keys ...string) error
	// Forget removes keys, so that a message with one of them can be put again. A
	// pending message is delivered all the same.
	Forget(ctx context.Context, keys ...string) error
}

// A Recipient is who a transport delivers to: a channel, a room or a person.
type Recipient struct {
	URL    string // without a secret: by which the outbox knows the recipient
	Secret string // what else is needed to reach the recipient, such as the key of a channel
}

// A Transport delivers the messages of an outbox.
type Transport interface {
	// Accept checks messages that are put into the outbox. It returns them as they are
	// to be stored, with the URLs of recipients for targets, and all recipients; it
	// may return more messages or fewer than it got. A *PermanentError says that the
	// messages will never be accepted.
	Accept(messages []Message) ([]Message, []Recipient, error)
	// Wake says that there may be new messages for these recipients.
	Wake(recipients []Recipient)
	// Problem returns why nothing is delivered to a recipient, "" when nothing is known.
	Problem(url string) string
	// Status returns the state of the connections, for a person, as JSON can hold it.
	Status(q Queue) any
	// Run delivers what is in the queue until ctx ends.
	Run(ctx context.Context, q Queue) error
}

// A Queue is an outbox as its transport sees it. It is safe for use by many goroutines.
type Queue interface {
	// Recipients returns the recipients of pending messages, or all that are known.
	Recipients(all bool) ([]Recipient, error)
	// Next claims the first pending message for a recipient behind a number, so that
	// nobody else gets it until Done. It returns nil when there is none.
	Next(url string, after uint64) (*Claim, error)
	// Done ends a claim. A nil error says that the recipient's server has confirmed the
	// message; a *PermanentError, that it never will: the message bounces. After any
	// other error it is pending again.
	Done(c *Claim, err error)
	// Backlog returns what is known of a recipient's messages.
	Backlog(url string) (Backlog, error)
	// Summarize replaces all pending messages for a recipient by one that counts them,
	// except reminders, those that are claimed, and those whose key is known.
	Summarize(url string) error
}

// A Claim is a message that a transport is delivering.
type Claim struct {
	URL      string // of the recipient
	Number   uint64 // in the order of the recipient's messages
	Text     string
	Accepted time.Time
	Reminder bool
	Summary  bool // the text counts other messages, and may be cut off
}

// A Backlog is what an outbox knows of a recipient's messages. The names in JSON are those
// of earlier versions.
type Backlog struct {
	Count     int       `json:"count"`         // pending
	Oldest    time.Time `json:"-"`             // when the first of these was accepted
	Delivered time.Time `json:"told,omitzero"` // when the last one was confirmed

	Bounced     int       `json:"rejected,omitempty"`     // how many have bounced, ever
	LastBounced time.Time `json:"rejected_time,omitzero"` // when the last of them was
	LastReason  string    `json:"rejection,omitempty"`    // and why
}
