package lmtp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/emersion/go-smtp"

	"vext/filter"
)

// A session handles the mails of one connection for go-smtp.
type session struct {
	server *Server
	null   bool // the sender of the mail is <>
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if err := s.server.Filter.Spool.Check(); err != nil {
		s.server.log(filter.Result{}, err)
		return reply(filter.Result{}, err)
	}
	s.null = from == ""
	return nil
}

func (*session) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (*session) Reset()                               {}
func (*session) Logout() error                        { return nil }

// Data accepts a mail, and replies for all of its recipients.
func (s *session) Data(r io.Reader) error {
	if s.null {
		// A delivering system adds the sender (RFC 5321, section 4.4). The filter
		// recognises a bounce by the empty one.
		r = io.MultiReader(strings.NewReader("Return-Path: <>\r\n"), r)
	}
	result, err := s.server.run(r)
	s.server.log(result, err)
	return reply(result, err)
}

// run is Filter.Run. It turns a panic into an error.
func (s *Server) run(r io.Reader) (result filter.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			s.Log.Error("lmtp: panic", "stack", string(debug.Stack()))
		}
	}()
	return s.Filter.Run(r)
}

func (s *Server) log(result filter.Result, err error) {
	switch {
	case err != nil:
		s.Log.Error("lmtp: not accepted", "err", err)
	case result.Verdict == filter.Spooled:
		s.Log.Info("lmtp: spooled", "name", result.Reason)
	default:
		s.Log.LogAttrs(context.Background(), slog.LevelDebug, "lmtp: ignored", slog.String("reason", result.Reason))
	}
}

// reply returns the reply to a mail, with enhanced status codes (RFC 3463). Mail systems
// log its text. For success it is an error as well, because go-smtp would reply only "OK:
// queued".
func reply(result filter.Result, err error) error {
	switch {
	case err == nil:
		return &smtp.SMTPError{Code: 250, EnhancedCode: smtp.EnhancedCode{2, 0, 0}, Message: line(result.Verdict.String() + ": " + result.Reason)}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: line("error: " + err.Error())}
	}
	return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: line("error: " + err.Error())}
}

// maxReply bounds the text of a reply, in bytes. Exim's limit, see maxEcho, includes a
// recipient.
const maxReply = 120

// line returns s as one line of ASCII. It shortens a long text in the middle: the end of an
// error has the reason.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	if n := len(s); n > maxReply {
		s = s[:maxReply/3] + "..." + s[n-maxReply/2:]
	}
	return s
}
