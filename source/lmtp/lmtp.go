// Package lmtp accepts commit mails from a mail system by LMTP (RFC 2033). It saves the
// process of vext-filter for each mail.
//
// A reply has the meaning of vext-filter's exit status: 250 for a mail that is spooled or
// ignored, 4yz (try again) for any error. 5yz, which would bounce a committer's mail, is
// never sent. For the same reason every sender and recipient is accepted, whatever its form.
package lmtp

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"vext/filter"
	"vext/internal/conns"
	"vext/internal/socket"
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
	// maxConns bounds the connections at once. When all are in use, the client that has been
	// silent for longest is disconnected; it sends its mail again later.
	maxConns = 100
	// slowAfter is the time for which a client keeps its connection even if it sends
	// nothing.
	slowAfter = 500 * time.Millisecond
)

// socketMode allows the owner's group, of which the mail system's user is a member.
const socketMode = 0o660

// Listen is net.Listen for "tcp", and socket.Listen for "unix", where the group
// may connect.
func Listen(network, address string) (net.Listener, error) {
	if network != "unix" {
		return net.Listen(network, address)
	}
	return socket.Listen(address, socketMode)
}

// Serve serves the clients of l until ctx ends. It then returns nil when the mails in
// progress are done, at the latest after 20 seconds. A client sends a mail without a reply
// again. Serve closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	within, end := context.WithCancel(ctx)
	defer end()
	l = conns.New(maxConns, slowAfter, func(net.Addr) {
		s.Log.Debug("lmtp: too many clients; the slowest is disconnected")
	}).Listener(l)
	context.AfterFunc(within, func() { l.Close() })
	var sessions sync.WaitGroup
	c, err := l.Accept()
	for ; err == nil; c, err = l.Accept() {
		session := newSession(s, c)
		sessions.Go(func() { session.serve(within) })
	}
	if ctx.Err() != nil {
		err = nil
	}
	end()
	done := make(chan struct{})
	go func() { sessions.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(grace + time.Second):
		s.Log.Warn("lmtp: ended with mails in progress")
	}
	return err
}
