// Package lmtp takes commit mails from a mail system by LMTP (RFC 2033), for
// the filter, without a process for each.
//
// What vext-filter says by its exit status is said by the reply here: 250 for a
// mail that is in the spool or ignored, 4yz, which asks to try again, when
// anything went wrong, and never 5yz, which would bounce a committer's mail.
package lmtp

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/emersion/go-smtp"

	"vext/filter"
)

// A Server hands every mail to Filter, whoever it is for. It logs mails that
// are ignored at the level Debug, those that are spooled at Info.
type Server struct {
	Filter *filter.Filter
	Log    *slog.Logger
}

const (
	// patience is how long a client may say nothing: RFC 5321, 4.5.3.2.7 for
	// commands; 4.5.3.2.5 has a client wait for 3 minutes within a mail.
	patience = 5 * time.Minute
	// grace is how long the mails in flight have to end when the server ends.
	grace = 20 * time.Second
	// maxConns bounds the connections at once, see listener.
	maxConns = 100
	// slowAfter is for how long a client keeps its place whatever it sends.
	slowAfter = 500 * time.Millisecond
	// maxRecipients bounds those of one mail, of which RFC 5321, 4.5.3.1.8
	// wants 100 at least. A client sends the mail once more for the others.
	maxRecipients = 1000
)

// Serve answers the clients of l until ctx ends, and then returns nil as soon
// as the mails in flight are done, at the latest after 20 seconds. What is not
// done by then was not answered, so that it will come again. Serve closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &session{server: s}, nil
	}))
	server.LMTP = true
	server.Domain = "localhost"
	server.EnableSMTPUTF8 = true
	server.MaxRecipients = maxRecipients
	server.MaxLineLength = 0 // of commands and of mails, see conn
	server.WriteTimeout = patience
	server.ErrorLog = slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn)

	failed := make(chan error, 1)
	go func() { failed <- server.Serve(newListener(ctx, l, s.Log)) }()
	select {
	case err := <-failed:
		if ctx.Err() == nil {
			server.Close()
			return err
		}
	case <-ctx.Done():
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace+time.Second)
	defer cancel()
	if err := server.Shutdown(within); err != nil {
		s.Log.Warn("lmtp: ended with mails in flight", "err", err)
	}
	return nil
}
