package irker

import (
	"net"
	"sync"
	"time"
)

// clients are those connected by TCP: at most as many as there are places.
type clients struct {
	places int

	mu      sync.Mutex
	changed sync.Cond // somebody left, or is idle, or all end
	all     map[*client]bool
	turns   uint64
	ended   bool
}

// A client is one connection, served by a goroutine of its own.
type client struct {
	conn net.Conn

	// Guarded by clients.mu:
	turn   uint64 // grows with each time that a client becomes idle; 0 for one at work
	ending bool

	// The goroutine's own:
	lingers bool      // it is ending, and reads what has arrived
	until   time.Time // when that is over
	left    int       // bytes that it will read then
	mute    bool      // it can't be answered
}

func newClients(places int) *clients {
	cs := &clients{places: places, all: map[*client]bool{}}
	cs.changed.L = &cs.mu
	return cs
}

// enter waits for a place, and lets the one who was idle for longest make room.
// It reports whether the client has got one; it has not when all end.
func (cs *clients) enter(c *client) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for !cs.ended && len(cs.all) >= cs.places {
		if idle := cs.longestIdle(); idle != nil {
			idle.end()
		}
		cs.changed.Wait()
	}
	if !cs.ended {
		cs.all[c] = true
		cs.idle(c)
	}
	return !cs.ended
}

// full reports whether the next client has to wait for a place.
func (cs *clients) full() bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.all) >= cs.places
}

// longestIdle returns who should make room, nil when nobody is idle.
func (cs *clients) longestIdle() *client {
	var longest *client
	for c := range cs.all {
		if c.turn > 0 && (longest == nil || c.turn < longest.turn) {
			longest = c
		}
	}
	return longest
}

func (cs *clients) idle(c *client) {
	cs.turns++
	c.turn = cs.turns
	cs.changed.Broadcast()
}

// setIdle says whether a client waits for a request, or is at work.
func (cs *clients) setIdle(c *client, idle bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if c.turn = 0; idle {
		cs.idle(c)
	}
}

// leave gives the place of a client back.
func (cs *clients) leave(c *client) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.all, c)
	cs.changed.Broadcast()
}

// dismiss makes a client end.
func (cs *clients) dismiss(c *client) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c.end()
}

// end makes all clients end, and lets no more in.
func (cs *clients) end() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.ended = true
	for c := range cs.all {
		c.end()
	}
	cs.changed.Broadcast()
}

// end makes the connection end when all that has arrived is read, see Read.
func (c *client) end() {
	if !c.ending {
		c.ending = true
		c.conn.SetReadDeadline(past)
	}
}
