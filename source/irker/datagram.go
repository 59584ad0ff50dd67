package irker

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"vext/internal/backoff"
)

const (
	// maxDatagrams and maxQueued bound the queued datagrams, in number and in bytes.
	maxDatagrams = 1000
	maxQueued    = 8 << 20
	// maxDatagram is more than the maximum of UDP, in bytes.
	maxDatagram = 64 << 10
)

// A datagram is a request by UDP.
type datagram struct {
	data []byte
	from net.Addr
}

// datagrams is the queue of datagrams to be stored.
type datagrams struct {
	queue chan datagram
	bytes atomic.Int64
}

func newDatagrams() *datagrams { return &datagrams{queue: make(chan datagram, maxDatagrams)} }

// add appends a datagram. It reports false if the queue is full.
func (d *datagrams) add(one datagram) bool {
	if d.bytes.Load()+int64(len(one.data)) > maxQueued {
		return false
	}
	select {
	case d.queue <- one:
		d.bytes.Add(int64(len(one.data)))
		return true
	default:
		return false
	}
}

// next waits for a datagram, and returns it and those after it, or nil if the queue is
// closed.
func (d *datagrams) next() []datagram {
	one, ok := <-d.queue
	if !ok {
		return nil
	}
	all := []datagram{one}
	for len(all) < maxBatch && len(d.queue) > 0 {
		all = append(all, <-d.queue)
	}
	for _, one := range all {
		d.bytes.Add(-int64(len(one.data)))
	}
	return all
}

// receive queues datagrams until ctx has ended and all that have arrived are queued.
func (v *serving) receive(ctx context.Context, p net.PacketConn, queue *datagrams) error {
	defer close(queue.queue)
	s, dropped := newSocket(p), 0
	buf := make([]byte, maxDatagram)
	for ending := false; ; {
		n, from, more, err := s.read(buf)
		if dropped += more; more > 0 {
			v.loses("irker: the system dropped datagrams", "lost_since_start", dropped)
		}
		switch {
		case err == nil && v.rejects(from):
			v.warn(&v.bad, "irker: client not allowed from its address", "client", from)
		case err == nil && !queue.add(datagram{bytes.Clone(buf[:n]), from}):
			v.loses("irker: too many datagrams queued; one is lost", "client", from)
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil && !ending:
			ending = true
			p.SetReadDeadline(time.Now().Add(drainTime))
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			v.warn(&v.system, "irker: cannot read datagrams; retrying", "err", err)
			backoff.Sleep(ctx, retries.Min)
		}
	}
}

// loses reports lost datagrams.
func (v *serving) loses(msg string, args ...any) {
	if v.warn(&v.lost, msg, args...) && v.OnLoss != nil {
		v.OnLoss()
	}
}

// takeDatagrams stores the queued datagrams, and answers them.
func (v *serving) takeDatagrams(ctx context.Context, p net.PacketConn, queue *datagrams) {
	for all := queue.next(); all != nil; all = queue.next() {
		requests := make([]request, len(all))
		for i, d := range all {
			requests[i] = v.take(d.data, d.from)
		}
		v.deliver(ctx, requests, func() {
			for i := range requests {
				if line := requests[i].answer(); line != nil {
					p.WriteTo(line, all[i].from) // like any datagram, it may be lost
				}
			}
		})
	}
}

// take reads a request, and logs its faults.
func (v *serving) take(data []byte, from net.Addr) request {
	r := v.read(data)
	switch {
	case len(r.unread)+len(r.refused) > 0:
		v.warn(&v.bad, "irker: skipping targets", "client", from, "invalid", r.unread, "not_allowed", r.refused)
	case r.err != nil:
		v.warn(&v.bad, "irker: invalid request", "client", from, "err", r.err)
	}
	v.Log.Debug("irker: request", "client", from, "lines", len(r.lines), "ack", r.ack)
	return r
}

// Bounds of the receive buffer to ask the system for, in bytes. The buffer holds the
// datagrams that have not been read yet; the system drops those that do not fit.
const (
	maxBuffer = 8 << 20
	minBuffer = 256 << 10
)

// A socket reads datagrams. On Linux it also counts the datagrams that the system
// dropped before they could be read.
type socket struct {
	net.PacketConn
	udp  *net.UDPConn // the same, or nil
	oob  []byte
	seen uint32 // the system's count of dropped datagrams
}

// newSocket returns a socket with as large a buffer as the system allows.
func newSocket(p net.PacketConn) *socket {
	s := &socket{PacketConn: p}
	if s.udp, _ = p.(*net.UDPConn); s.udp == nil {
		return s
	}
	for size := maxBuffer; size >= minBuffer && s.udp.SetReadBuffer(size) != nil; size /= 2 {
	}
	s.oob = countDropped(s.udp)
	return s
}

// read reads a datagram, and returns how many the system has dropped since the previous
// one.
func (s *socket) read(buf []byte) (n int, from net.Addr, dropped int, err error) {
	if len(s.oob) == 0 {
		n, from, err = s.ReadFrom(buf)
		return n, from, 0, err
	}
	n, oobn, _, addr, err := s.udp.ReadMsgUDP(buf, s.oob)
	if err != nil {
		return 0, nil, 0, err
	}
	if count, ok := droppedIn(s.oob[:oobn]); ok {
		dropped = int(count - s.seen) // the count wraps at 2^32
		s.seen = count
	}
	return n, addr, dropped, nil
}
