// Package conns bounds the connections of a server so that clients that stall
// cannot keep others out. When all places are taken, the next client gets the
// place of a client from which the server is still waiting for input. A client
// whose request is being handled keeps its place.
package conns

import (
	"cmp"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"
)

// A Limit bounds the connections of one server. It is safe for use by many
// goroutines.
type Limit struct {
	max     int
	silence time.Duration
	// evicted is called with the address of each evicted client; may be nil.
	evicted func(net.Addr)

	mu      sync.Mutex
	changed sync.Cond // a place is free, or a client can be evicted, or the listener is closed
	all     map[*Conn]bool
	reads   uint64
	closed  bool
}

const (
	// minPlaces is the minimum number of places, whatever the file limit.
	minPlaces = 16
	// One listener may use 1/fileShare of the file limit. Other listeners, the state
	// directory and child processes need the rest.
	fileShare = 3
)

// New returns a limit of places connections, or of fewer when the process may not
// open that many files. A client keeps its place if it has sent something within
// the time silence.
func New(places int, silence time.Duration, evicted func(net.Addr)) *Limit {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil {
		if share := files.Cur / fileShare; uint64(share) < uint64(places) { // the type of Cur differs between systems
			places = max(int(share), min(places, minPlaces))
		}
	}
	l := &Limit{max: places, silence: silence, evicted: evicted, all: map[*Conn]bool{}}
	l.changed.L = &l.mu
	return l
}

// Listener returns a listener whose connections, all of them a *Conn, count
// against the limit.
func (l *Limit) Listener(from net.Listener) net.Listener { return &listener{from, l} }

type listener struct {
	net.Listener
	limit *Limit
}

// fileWait is how long Accept waits if the process cannot open a file and no client
// can be evicted.
const fileWait = 100 * time.Millisecond

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			if !l.limit.Evict(0, nil) {
				time.Sleep(fileWait)
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		conn := &Conn{Conn: c, limit: l.limit, from: origin(c.RemoteAddr())}
		if !l.limit.enter(conn) {
			c.Close()
			return nil, net.ErrClosed
		}
		return conn, nil
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.limit.mu.Lock()
	l.limit.closed = true
	l.limit.changed.Broadcast()
	l.limit.mu.Unlock()
	return l.Listener.Close()
}

// enter gives a connection a place. If none is free, it evicts a client or waits. It
// reports false if the listener was closed.
func (l *Limit) enter(c *Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed && len(l.all) >= l.max {
		if !l.isEnding() && l.evict(0, nil) {
			continue
		}
		again := time.AfterFunc(max(l.silence/4, time.Millisecond), l.changed.Broadcast)
		l.changed.Wait()
		again.Stop()
	}
	if !l.closed {
		l.all[c] = true
		l.read(c)
	}
	return !l.closed
}

// isEnding reports whether an evicted connection is about to free its place.
func (l *Limit) isEnding() bool {
	for c := range l.all {
		if c.ending {
			return true
		}
	}
	return false
}

// Evict closes one connection from which the server is waiting for input and for
// which it holds at least that many bytes, see Conn.Hold. It never closes spared.
// It reports false when there is no such connection.
func (l *Limit) Evict(atLeast int64, spared *Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.evict(atLeast, spared)
}

func (l *Limit) evict(atLeast int64, spared *Conn) bool {
	c := l.slowest(atLeast, spared)
	if c == nil {
		return false
	}
	if c.ending = true; c.end != nil {
		c.end()
	} else {
		delete(l.all, c)
		c.Conn.Close()
	}
	if l.evicted != nil {
		l.evicted(c.RemoteAddr())
	}
	return true
}

// slowest returns the connection to evict. Among those that may be evicted, it chooses
// the origin that has the most, and of that origin the connection that has been
// silent longest.
func (l *Limit) slowest(atLeast int64, spared *Conn) *Conn {
	now := time.Now()
	var waiting []*Conn
	count := map[netip.Prefix]int{}
	for c := range l.all {
		if !c.busy && !c.ending && c.held >= atLeast && c != spared && now.Sub(c.last) >= l.silence {
			waiting = append(waiting, c)
			count[c.from]++
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	return slices.MinFunc(waiting, func(a, b *Conn) int {
		return cmp.Or(count[b.from]-count[a.from], cmp.Compare(a.turn, b.turn))
	})
}

// read records that a connection has sent something.
func (l *Limit) read(c *Conn) {
	l.reads++
	c.turn, c.last = l.reads, time.Now()
}

// origin returns the part of a client's address that the client can't change at
// will: the IPv4 address, or the network of an IPv6 address. For a Unix socket it
// is the zero prefix.
func origin(a net.Addr) netip.Prefix {
	from, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Prefix{}
	}
	ip, bits := from.Addr().Unmap().WithZone(""), 32
	if ip.Is6() {
		bits = 64
	}
	prefix, _ := ip.Prefix(bits)
	return prefix
}

// A Conn is a connection with a place.
type Conn struct {
	net.Conn
	limit *Limit
	from  netip.Prefix

	// Guarded by limit.mu:
	busy   bool
	held   int64
	turn   uint64 // grows with each read
	last   time.Time
	end    func() // instead of Close, when the connection is evicted; may be nil
	ending bool
}

// Read implements io.Reader.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.limit.mu.Lock()
		c.limit.read(c)
		c.limit.mu.Unlock()
	}
	return n, err
}

// SetBusy sets whether a request of the client is being handled, or the server waits
// for input, as it does at first.
func (c *Conn) SetBusy(busy bool) {
	c.limit.mu.Lock()
	defer c.limit.mu.Unlock()
	if c.busy = busy; !busy {
		c.limit.read(c)
		c.limit.changed.Broadcast()
	}
}

// SetEnd makes an eviction call end, which must not wait, instead of closing the
// connection. The connection keeps its place until it is closed.
func (c *Conn) SetEnd(end func()) {
	c.limit.mu.Lock()
	defer c.limit.mu.Unlock()
	c.end = end
}

// Hold adds n, which may be negative, to the bytes that the server holds for the client.
func (c *Conn) Hold(n int64) {
	c.limit.mu.Lock()
	defer c.limit.mu.Unlock()
	c.held += n
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.limit.mu.Lock()
	delete(c.limit.all, c)
	c.limit.changed.Broadcast()
	c.limit.mu.Unlock()
	return c.Conn.Close()
}
