package notify

import (
	"context"
	"time"
)

// A Message is text for one recipient on IRC, a channel or a person, on its way out.
type Message struct {
	Target  string // a URL as target.Parse takes it
	Text    string // each line is delivered as one message, in order; empty to join a channel only
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

// A FailingOutbox is an Outbox of which every call fails with Err.
type FailingOutbox struct{ Err error }

// Put implements Outbox.
func (u FailingOutbox) Put(context.Context, ...Message) error { return u.Err }

// Outcomes implements Outbox.
func (u FailingOutbox) Outcomes(context.Context, ...string) (map[string]Outcome, error) {
	return nil, u.Err
}

// Pending implements Outbox.
func (u FailingOutbox) Pending(context.Context) ([]string, error) { return nil, u.Err }

// Bounces implements Outbox.
func (u FailingOutbox) Bounces(context.Context, time.Time) ([]Bounce, error) { return nil, u.Err }

// Bounce implements Outbox.
func (u FailingOutbox) Bounce(context.Context, string, ...string) error { return u.Err }

// Forget implements Outbox.
func (u FailingOutbox) Forget(context.Context, ...string) error { return u.Err }
