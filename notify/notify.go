// Package notify is how words leave. Every way confirms or returns an error;
// none drops.
package notify

import (
	"context"
	"errors"
)

// A Mail is a message on its way out.
type Mail struct {
	Sender    string // of the envelope (RFC 5321, section 3.3): where bounces go
	Recipient string // one address
	Key       string // the same at every try of the same mail: file name safe
	Data      []byte // RFC 5322, lines ended by CRLF
}

// A Sender hands mails to whoever delivers them.
type Sender interface {
	// Send returns nil when the next hop has taken the responsibility for the
	// mail. An error is a *Refused when this mail will never be taken, a
	// *Closed when no mail can be sent now, an *Unknown when the mail may have
	// been taken all the same; any other is about this mail, which was not
	// taken and may be tried again later.
	Send(ctx context.Context, m *Mail) error
	// Check reports whether mail could be sent, without sending any.
	Check(ctx context.Context) error
	// Close ends what Send has opened.
	Close() error
	// String names the way as the history records it, without a password.
	String() string
}

// Refused is a refusal for good: an unknown recipient, unwanted content.
type Refused struct{ Err error }

func (e *Refused) Error() string { return e.Err.Error() }
func (e *Refused) Unwrap() error { return e.Err }

// Closed says that a way is closed for now: no connection, no right to send,
// no program. The mails behind this one need not be tried.
type Closed struct{ Err error }

func (e *Closed) Error() string { return e.Err.Error() }
func (e *Closed) Unwrap() error { return e.Err }

// Unknown says that all of a mail was sent and no answer came: the server may or may
// not have accepted it (RFC 5321, section 4.5.3.2.6; RFC 1047). The error in it may be
// a *Closed.
type Unknown struct{ Err error }

func (e *Unknown) Error() string {
	return e.Err.Error() + "; it is unknown whether the mail was accepted"
}
func (e *Unknown) Unwrap() error { return e.Err }

// IsUnknown reports whether err leaves open whether the mail was accepted.
func IsUnknown(err error) bool { return errors.As(err, new(*Unknown)) }

// IsRefused reports whether err is a refusal for good.
func IsRefused(err error) bool { return errors.As(err, new(*Refused)) }

// IsClosed reports whether err says that the whole way is closed.
func IsClosed(err error) bool { return errors.As(err, new(*Closed)) }
