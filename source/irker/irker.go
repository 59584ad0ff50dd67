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

	"vext/internal/backoff"
	"vext/internal/conns"
	"vext/internal/lograte"
	"vext/internal/target"
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
	// target.Target.String; case is ignored. If empty, all targets on IRC are allowed.
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

// allows reports whether a target is allowed. One on XMPP is only by a pattern of XMPP.
func (s *Server) allows(t *target.Target) bool {
	isXMPP, name := t.Scheme == target.XMPP, strings.ToLower(t.String())
	return len(s.Targets) == 0 && !isXMPP || slices.ContainsFunc(s.Targets, func(pattern string) bool {
		return (!isXMPP || target.Protocol(pattern) == target.XMPP) && text.Match(strings.ToLower(pattern), name)
	})
}

// past is a deadline in the past.
var past = time.Unix(1, 0)

// retries is the backoff of messages that could not be stored.
var retries = backoff.Backoff{Min: 100 * time.Millisecond, Max: 30 * time.Second}

// putTimeout bounds a call of Put, so that the service can end.
const putTimeout = time.Minute

// deliver stores the messages of requests together, and then calls answer once. A
// client that wants an answer gets the error and repeats its request. Other requests
// are retried until they are stored or ctx has ended.
func (v *serving) deliver(ctx context.Context, requests []request, answer func()) {
	err := v.keep(ctx, requests)
	answer()
	held := slices.DeleteFunc(slices.Clone(requests), func(r request) bool { return r.ack })
	for failures := 1; ; failures++ {
		left := 0
		for i := range held {
			left += len(held[i].lines)
		}
		if left == 0 {
			return
		}
		if ctx.Err() != nil {
			v.Log.Error("irker: messages are lost, because they could not be stored", "lines", left, "err", err)
			return
		}
		v.warn(&v.system, "irker: cannot store messages; retrying", "lines", left, "err", err)
		backoff.Sleep(ctx, retries.After(failures))
		err = v.keep(ctx, held)
	}
}

// keep stores the messages of requests, together if possible, and removes them from
// the requests. err is why messages are left, which may be stored later.
func (v *serving) keep(ctx context.Context, requests []request) (err error) {
	var all []notify.Message
	for i := range requests {
		all = append(all, requests[i].lines...)
	}
	err = v.put(ctx, all)
	isEach := notify.IsPermanent(err) // for one of them, such as for a target too many
	if isEach {
		err = nil
	}
	for i := range requests {
		if !isEach {
			requests[i].kept(err)
		} else if failed := v.keepEach(ctx, &requests[i]); failed != nil {
			err = failed
		}
	}
	return err
}

// kept records the result for all messages of the request.
func (r *request) kept(err error) {
	if len(r.lines) == 0 {
		return
	}
	if r.failed = err; err == nil {
		r.lines = nil
	}
}

// keepEach stores the messages of a request one by one, and skips those with a permanent
// error. failed is why messages are left.
func (v *serving) keepEach(ctx context.Context, r *request) (failed error) {
	var left []notify.Message
	var refused error
	kept := false
	for _, line := range r.lines {
		err := v.put(ctx, []notify.Message{line})
		switch {
		case err == nil:
			kept = true
		case notify.IsPermanent(err):
			v.warn(&v.system, "irker: skipping a target", "target", shown(line.Target), "err", err)
			r.refused = append(r.refused, text.Shorten(shown(line.Target), maxShown))
			refused = err
		default:
			left, failed = append(left, line), err
		}
	}
	r.lines, r.failed = left, failed
	if !kept && failed == nil {
		r.failed = refused
	}
	return failed
}

// put stores messages, also after ctx has ended.
func (v *serving) put(ctx context.Context, lines []notify.Message) error {
	if len(lines) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), putTimeout)
	defer cancel()
	return v.Outbox.Put(ctx, lines...)
}
