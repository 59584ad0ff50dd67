package irker

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

const (
	// mostDatagrams and mostQueued bound the datagrams that wait to be kept, in
	// number and in bytes.
	mostDatagrams = 1000
	mostQueued    = 8 << 20
	// longestDatagram is the most that UDP can carry, and more.
	longestDatagram = 64 << 10
)

// A datagram is a request that came by UDP.
type datagram struct {
	data []byte
	from net.Addr
}

// datagrams are those that wait to be kept.
type datagrams struct {
	queue chan datagram
	bytes atomic.Int64
}

func newDatagrams() *datagrams { return &datagrams{queue: make(chan datagram, mostDatagrams)} }

// add reports whether there was room.
func (d *datagrams) add(one datagram) bool {
	if d.bytes.Load()+int64(len(one.data)) > mostQueued {
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

// next waits for a datagram, and returns it with those behind it; none when
// there will be no more.
func (d *datagrams) next() []datagram {
	one, ok := <-d.queue
	if !ok {
		return nil
	}
	all := []datagram{one}
	for len(all) < mostTogether && len(d.queue) > 0 {
		all = append(all, <-d.queue)
	}
	for _, one := range all {
		d.bytes.Add(-int64(len(one.data)))
	}
	return all
}

// receive queues the datagrams that come until ctx ends, and then those that
// have arrived.
func (v *serving) receive(ctx context.Context, p net.PacketConn, queue *datagrams) error {
	defer close(queue.queue)
	s, dropped := newSocket(p), 0
	buf := make([]byte, longestDatagram)
	for ending := false; ; {
		n, from, more, err := s.read(buf)
		if dropped += more; more > 0 {
			v.loses("irker: datagrams come too fast for the system, some are lost", "lost_since_start", dropped)
		}
		switch {
		case err == nil && v.refuses(from):
			v.bad.warn("irker: a client that may not come from there", "client", from)
		case err == nil && !queue.add(datagram{append([]byte(nil), buf[:n]...), from}):
			v.loses("irker: too many datagrams at once, one is lost", "client", from)
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil && !ending:
			ending = true
			p.SetReadDeadline(time.Now().Add(linger))
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			v.trouble.warn("irker: can't read datagrams, trying again", "err", err)
			wait(ctx, firstPause)
		}
	}
}

// loses says that datagrams were lost.
func (v *serving) loses(msg string, args ...any) {
	if v.lost.warn(msg, args...) && v.OnLoss != nil {
		v.OnLoss()
	}
}

// takeDatagrams keeps what receive queues, and answers whoever wants it.
func (v *serving) takeDatagrams(ctx context.Context, p net.PacketConn, queue *datagrams) {
	for all := queue.next(); all != nil; all = queue.next() {
		notices := make([]notice, len(all))
		for i, d := range all {
			notices[i] = v.take(d.data, d.from)
		}
		v.deliver(ctx, notices, func() {
			for i := range notices {
				if line := notices[i].answer(); line != nil {
					p.WriteTo(line, all[i].from) // as UDP is: it may not arrive
				}
			}
		})
	}
}

// take reads a request, and logs what is wrong with it.
func (v *serving) take(data []byte, from net.Addr) notice {
	n := v.read(data)
	switch {
	case len(n.unread)+len(n.refused) > 0:
		v.bad.warn("irker: a request with targets that are skipped", "client", from, "unreadable", n.unread, "not_allowed", n.refused)
	case n.err != nil:
		v.bad.warn("irker: a request that can't be read", "client", from, "err", n.err)
	}
	v.Log.Debug("irker: a request", "client", from, "lines", len(n.lines), "ack", n.ack)
	return n
}
