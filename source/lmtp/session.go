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

// A session is what go-smtp asks about the mails of one connection.
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

// Data takes a mail, and answers for all of its recipients.
func (s *session) Data(r io.Reader) error {
	if s.null {
		// Whoever delivers a mail puts its sender there (RFC 5321, 4.4); by an
		// empty one the filter knows bounces.
		r = io.MultiReader(strings.NewReader("Return-Path: <>\r\n"), r)
	}
	result, err := s.server.run(r)
	s.server.log(result, err)
	return reply(result, err)
}

// run is Filter.Run, for which a mail that makes it panic is one that can't be
// decided about.
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
		s.Log.Error("lmtp: not taken", "err", err)
	case result.Verdict == filter.Spooled:
		s.Log.Info("lmtp: spooled", "name", result.Reason)
	default:
		s.Log.LogAttrs(context.Background(), slog.LevelDebug, "lmtp: ignored", slog.String("reason", result.Reason))
	}
}

// reply returns the answer to a mail, with enhanced status codes of RFC 3463.
// What it says ends up in the log of the mail system. That of a success is an
// error too, to go-smtp, which would say only "OK: queued" otherwise.
func reply(result filter.Result, err error) error {
	switch {
	case err == nil:
		return &smtp.SMTPError{Code: 250, EnhancedCode: smtp.EnhancedCode{2, 0, 0}, Message: line(result.Verdict.String() + ": " + result.Reason)}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: line("error: " + err.Error())}
	}
	return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: line("error: " + err.Error())}
}

// maxReply leaves room for a recipient in a reply, see maxEcho.
const maxReply = 120

// line makes s fit for a reply, which is one line of ASCII. Of a longer one it
// keeps the end, where an error says what is wrong.
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
