package notify

import (
	"context"
	"time"
)

// A Recipient is who a transport delivers to: a channel or a person.
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
	Recipients(all bool) []Recipient
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
	Summarize(ctx context.Context, url string) error
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

// A Backlog is what an outbox knows of a recipient's messages.
type Backlog struct {
	Count     int       // pending
	Oldest    time.Time // when the first of these was accepted
	Delivered time.Time // when the last one was confirmed

	Bounced     int       // how many have bounced, ever
	LastBounced time.Time // when the last of them was
	LastReason  string    // and why
}
