// Package notify is what transports have in common: messages, and the errors by which
// a transport says what became of one. A transport confirms or returns an error; it
// drops nothing.
package notify

import (
	"context"
	"errors"
)

// A Mail is a mail on its way out.
type Mail struct {
	Sender    string // of the envelope (RFC 5321, section 3.3): where bounces go
	Recipient string // one address
	Key       string // the same for every attempt to send the same mail: file name safe
	Data      []byte // RFC 5322, lines ended by CRLF
}

// A Sender passes mails to the next hop.
type Sender interface {
	// Send returns nil when the next hop has accepted responsibility for the mail.
	// An error is a *PermanentError when this mail will never be accepted, an
	// *UnavailableError when no mail can be sent now, an *UnconfirmedError when the
	// mail may have been accepted. Any other error is about this mail, which was not
	// accepted and may be retried later.
	Send(ctx context.Context, m *Mail) error
	// Check reports whether mail could be sent, without sending any.
	Check(ctx context.Context) error
	// Close ends what Send has opened.
	Close() error
	// String returns the transport as the history records it, without a password.
	String() string
}

// A PermanentError says that this message will never be accepted: an unknown recipient,
// rejected content.
type PermanentError struct{ Err error }

func (e *PermanentError) Error() string { return e.Err.Error() }
func (e *PermanentError) Unwrap() error { return e.Err }

// An UnavailableError says that a transport can send nothing for now: no connection, no
// right to send, no program. The messages behind this one need not be tried.
type UnavailableError struct{ Err error }

func (e *UnavailableError) Error() string { return e.Err.Error() }
func (e *UnavailableError) Unwrap() error { return e.Err }

// An UnconfirmedError says that all of a mail was sent and no answer came: the server
// may or may not have accepted it (RFC 5321, section 4.5.3.2.6; RFC 1047). The error in
// it may be an *UnavailableError.
type UnconfirmedError struct{ Err error }

func (e *UnconfirmedError) Error() string {
	return e.Err.Error() + "; it is unknown whether the mail was accepted"
}
func (e *UnconfirmedError) Unwrap() error { return e.Err }

// IsPermanent reports whether err is, or wraps, a *PermanentError.
func IsPermanent(err error) bool { return errors.As(err, new(*PermanentError)) }

// IsUnavailable reports whether err is, or wraps, an *UnavailableError.
func IsUnavailable(err error) bool { return errors.As(err, new(*UnavailableError)) }

// IsUnconfirmed reports whether err is, or wraps, an *UnconfirmedError.
func IsUnconfirmed(err error) bool { return errors.As(err, new(*UnconfirmedError)) }
