// Package irker receives messages for IRC from the clients of irker, such as
// irkerhook, by irker's protocol: one JSON object per line over TCP, or per datagram
// over UDP (irkerd(8), irkerhook(1)).
//
// A request with "ack": true is answered by a JSON object on one line after its
// messages were stored. As with irker, no other request is answered.
//
// One goroutine accepts clients, one reads datagrams, one stores them, and each
// client has one. Serve waits for all of them.
package irker

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"vext/internal/conns"
	"vext/internal/lograte"
	"vext/internal/text"
	"vext/notify"
)

// A Server puts the messages of requests into the outbox, and retries until it succeeds.
type Server struct {
	Outbox notify.Outbox
	// Format returns the text for a commit, for a request without a text.
	Format func(Fields) (string, error)
	// Clients are the networks of the allowed clients; if empty, only this machine is
	// allowed, whatever the address of the listener.
	Clients []netip.Prefix
	// Targets are patterns, with * and ?, of the allowed targets as returned by
	// target.Target.String; case is ignored. If empty, all targets are allowed.
	Targets []string
	// OnLoss is called when datagrams were lost, at most once a second; may be nil.
	OnLoss func()
	Log    *slog.Logger
	Now    func() time.Time

	places int // for tests: instead of maxClients
}

const (
	// maxClients bounds the connected TCP clients, see conns.Limit.
	maxClients = 500
	// graceTime is how long an idle client keeps its place whatever happens.
	graceTime = 20 * time.Millisecond
	// maxTargets bounds the targets of a request.
	maxTargets = 100
	// maxBatch bounds the requests that are stored together.
	maxBatch = 64
	// maxLine bounds a request over TCP, in bytes with its newline. A datagram cannot
	// be longer.
	maxLine = 64 << 10
	// maxShown bounds a target in the log and in answers, in bytes.
	maxShown = 200
)

// Listen listens at the same address by TCP and UDP. Port 0 stands for a port that is
// free for both.
func Listen(address string) (net.Listener, net.PacketConn, error) {
	const tries = 10
	for try := 1; ; try++ {
		l, err := net.Listen("tcp", address) // Go's keepalive closes dead connections within minutes
		if err != nil {
			return nil, nil, err
		}
		p, err := net.ListenPacket("udp", l.Addr().String())
		if err == nil {
			return l, p, nil
		}
		l.Close()
		if _, port, _ := net.SplitHostPort(address); port != "0" || try == tries {
			return nil, nil, err
		}
	}
}

// serving is the state that the goroutines of one Serve share.
type serving struct {
	*Server
	bad    lograte.Limiter // requests and clients
	system lograte.Limiter // the machine
	lost   lograte.Limiter // datagrams
}

// Serve serves the clients of l and p until ctx ends, and closes both. It then stores
// the requests that have arrived, and returns nil. It returns an error if l or p fails.
func (s *Server) Serve(ctx context.Context, l net.Listener, p net.PacketConn) error {
	v := &serving{Server: s}
	limit := conns.New(cmp.Or(s.places, maxClients), graceTime, func(client net.Addr) {
		v.warn(&v.bad, "irker: too many clients; disconnecting the one that was idle longest", "client", client)
	})
	l = limit.Listener(allowed{l, v})
	ended := ctx.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	queue := newDatagrams()
	var all sync.WaitGroup
	all.Go(func() {
		<-ctx.Done()
		l.Close()
		p.SetReadDeadline(past)
	})
	all.Go(func() { cancel(v.accept(ctx, l, &all)) })
	all.Go(func() { cancel(v.receive(ctx, p, queue)) })
	all.Go(func() { v.takeDatagrams(ctx, p, queue) })
	all.Wait()
	p.Close()
	for _, l := range []*lograte.Limiter{&v.bad, &v.system, &v.lost} {
		l.Flush(s.Log)
	}
	select {
	case <-ended:
		return nil
	default:
		return fmt.Errorf("irker: %w", context.Cause(ctx))
	}
}

// warn logs a warning within a limit, and reports whether it did.
func (s *Server) warn(limit *lograte.Limiter, msg string, args ...any) bool {
	return limit.Log(s.Log, s.Now(), slog.LevelWarn, msg, args...)
}

// rejects reports whether clients from an address are not allowed.
func (s *Server) rejects(a net.Addr) bool {
	from, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return true
	}
	ip := from.Addr().Unmap().WithZone("")
	if len(s.Clients) == 0 {
		return !ip.IsLoopback()
	}
	return !slices.ContainsFunc(s.Clients, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// allows reports whether a target is allowed.
func (s *Server) allows(target string) bool {
	target = strings.ToLower(target)
	return len(s.Targets) == 0 || slices.ContainsFunc(s.Targets, func(pattern string) bool {
		return text.Match(strings.ToLower(pattern), target)
	})
}

// past is a deadline in the past.
var past = time.Unix(1, 0)
