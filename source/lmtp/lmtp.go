// Package lmtp accepts commit mails from a mail system by LMTP (RFC 2033). It saves the
// process of vext-filter for each mail.
//
// A reply has the meaning of vext-filter's exit status: 250 for a mail that is spooled or
// ignored, 4yz (try again) for any error. 5yz, which would bounce a committer's mail, is
// never sent.
package lmtp

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/emersion/go-smtp"

	"vext/filter"
)

// A Server passes every mail to Filter, whoever its recipients are. It logs ignored mails
// at level Debug, spooled ones at level Info.
type Server struct {
	Filter *filter.Filter
	Log    *slog.Logger
}

const (
	// patience bounds the time for which a client may be silent: RFC 5321, section
	// 4.5.3.2.7, for commands; within a mail, a client may pause for 3 minutes (section
	// 4.5.3.2.5).
	patience = 5 * time.Minute
	// grace bounds the time to finish the mails in progress when the server ends.
	grace = 20 * time.Second
	// maxConns bounds the connections at once, see listener.
	maxConns = 100
	// slowAfter is the time for which a client keeps its connection even if it sends
	// nothing.
	slowAfter = 500 * time.Millisecond
	// maxRecipients bounds the recipients of one mail. RFC 5321, section 4.5.3.1.8,
	// requires 100. A client sends the mail again for the others.
	maxRecipients = 1000
)

// Serve serves the clients of l until ctx ends. It then returns nil when the mails in
// progress are done, at the latest after 20 seconds. A client sends a mail without a reply
// again. Serve closes l.
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
		s.Log.Warn("lmtp: ended with mails in progress", "err", err)
	}
	return nil
}
