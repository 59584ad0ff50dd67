package xmpp

import (
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"vext/internal/hint"
	"vext/internal/text"
)

// A streamError ends a stream (RFC 6120, section 4.9).
type streamError struct{ condition, text string }

func (e *streamError) Error() string { return describe(e.condition, e.text) }

// describe returns a condition, and what a server says about it.
func describe(condition, detail string) string {
	if condition = text.OneLine(condition); condition == "" {
		condition = "undefined-condition"
	}
	if detail = text.OneLine(detail); detail == "" {
		return condition
	}
	return fmt.Sprintf("%.100s (%.200s)", condition, detail)
}

// isConflict reports whether another connection has taken the resource.
func isConflict(err error) bool {
	var e *streamError
	return errors.As(err, &e) && e.condition == "conflict"
}

// A loginError says that the server rejected the login (RFC 6120, section 6.5).
type loginError struct{ jid, condition, text string }

func (e *loginError) Error() string {
	words := describe(e.condition, e.text)
	if e.condition == "not-authorized" {
		words = "wrong password, or no such account: " + words
	}
	return fmt.Sprintf("the server rejected the login of %s: %s", e.jid, words)
}

// isRejected reports whether a login will be rejected until a person does something.
func isRejected(err error) bool {
	var e *loginError
	return errors.As(err, &e) && e.condition != "temporary-auth-failure"
}

// A certificateError says that a server cannot prove that it serves a domain.
type certificateError struct {
	domain string
	err    error
}

func (e *certificateError) Unwrap() error { return e.err }

func (e *certificateError) Error() string {
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	what := ""
	switch {
	case errors.As(e.err, &host):
		what = "is for another name"
		if host.Certificate != nil {
			names := strings.Join(host.Certificate.DNSNames, ", ")
			what = fmt.Sprintf("is for %.200s, not for %s", text.OneLine(names), e.domain)
		}
	case errors.As(e.err, &authority):
		what = "is signed by no authority that this machine trusts"
	case errors.As(e.err, &invalid) && invalid.Reason == x509.Expired:
		what = "is expired or not yet valid"
	default:
		return "TLS: " + e.err.Error()
	}
	return fmt.Sprintf("the certificate of the server %s; no password was sent", what)
}

// explain returns an error with which a connection ended, in words for a person.
func (c *Client) explain(err error) error {
	var syntax *xml.SyntaxError
	var untrusted x509.UnknownAuthorityError
	var timeout net.Error
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &syntax) && syntax.Msg == "unexpected EOF":
		return errors.New("the server closed the connection")
	case isRejected(err):
		return hint.Wrap(err, "look at jid and password in the configuration")
	case isConflict(err):
		return errors.New("another connection has taken the resource")
	case errors.As(err, &untrusted):
		return hint.Wrap(err, "name the file of the authority that signed it as ca")
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, os.ErrDeadlineExceeded):
		return errSilent
	}
	return err
}

var errSilent = errors.New("the server does not answer")
