// Package irker takes notices for IRC from the clients of irker, such as its
// irkerhook, by irker's protocol: a JSON object a line over TCP, one a datagram
// over UDP, as irkerd(8) and irkerhook(1) describe it.
//
// A client that says "ack": true is answered, with a JSON object on one line,
// when its notice is safe; no other client ever is, as with irker.
//
// Goroutines: one accepts clients, one reads datagrams, one keeps these, and
// each client has its own, so that none waits for another. Serve waits for all.
package irker

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"vext/internal/text"
	"vext/notify"
)

// A Server hands notices to Outlet, for as long as it takes.
type Server struct {
	Outlet notify.Outbox
	// Format makes the text of a request that has none, of its commit.
	Format func(Fields) (string, error)
	// Clients are the networks that clients may come from; none stands for this
	// machine alone, wherever the server listens.
	Clients []netip.Prefix
	// Targets are patterns, with * and ?, of the targets that may be named, as
	// target.Target.String writes them, without regard to case; none stands for
	// all.
	Targets []string
	// OnLoss is called when datagrams were lost, once a second at most; it may be
	// nil.
	OnLoss func()
	Log    *slog.Logger
	Now    func() time.Time

	places int // for tests: instead of mostClients
}

const (
	// mostClients bounds the clients by TCP at once. With all places taken the
	// one that was idle for longest makes room; where none is idle, the next
	// ones wait to be accepted.
	mostClients = 500
	// mostTargets bounds those of one request.
	mostTargets = 100
	// mostTogether bounds the requests that are kept by one call of Put.
	mostTogether = 64
	// longestLine bounds a request over TCP, in bytes with its newline; a
	// datagram can't be longer.
	longestLine = 64 << 10
	// longestShown bounds what the log and answers repeat of a target, in bytes.
	longestShown = 200
)

// Listen listens at the same address by TCP and UDP. The port 0 stands for any
// that is free for both.
func Listen(address string) (net.Listener, net.PacketConn, error) {
	const tries = 10
	for try := 1; ; try++ {
		l, err := net.Listen("tcp", address) // keepalive is Go's: a dead client is gone within minutes
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

// serving is what the goroutines of one Serve share.
type serving struct {
	*Server
	clients *clients
	bad     rarely // requests and clients
	trouble rarely // the machine
	lost    rarely // datagrams
}

// Serve serves the clients of l and p, and closes both, until ctx ends. It then
// keeps what has arrived, and returns nil as soon as that is done. It returns an
// error when it can't go on without one of them.
func (s *Server) Serve(ctx context.Context, l net.Listener, p net.PacketConn) error {
	places := s.places
	if places == 0 {
		places = mostClients
	}
	v := &serving{
		Server: s, clients: newClients(places),
		bad: rarely{log: s.Log, now: s.Now}, trouble: rarely{log: s.Log, now: s.Now}, lost: rarely{log: s.Log, now: s.Now},
	}
	ended := ctx.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	queue := newDatagrams()
	var all sync.WaitGroup
	all.Go(func() {
		<-ctx.Done()
		l.Close()
		p.SetReadDeadline(past)
		v.clients.end()
	})
	all.Go(func() { cancel(v.accept(ctx, l, &all)) })
	all.Go(func() { cancel(v.receive(ctx, p, queue)) })
	all.Go(func() { v.takeDatagrams(ctx, p, queue) })
	all.Wait()
	p.Close()
	for _, r := range []*rarely{&v.bad, &v.trouble, &v.lost} {
		r.rest()
	}
	select {
	case <-ended:
		return nil
	default:
		return fmt.Errorf("irker: %w", context.Cause(ctx))
	}
}

// refuses reports whether nobody may speak from an address.
func (s *Server) refuses(a net.Addr) bool {
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

// allows reports whether a target may be named.
func (s *Server) allows(target string) bool {
	target = strings.ToLower(target)
	return len(s.Targets) == 0 || slices.ContainsFunc(s.Targets, func(pattern string) bool {
		return text.Match(strings.ToLower(pattern), target)
	})
}

// past is a deadline that is over.
var past = time.Unix(1, 0)

// wait waits for so long, or until ctx ends.
func wait(ctx context.Context, pause time.Duration) {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
