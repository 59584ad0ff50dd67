package irker

import (
	"net"
	"sync"
	"time"
)

// clients are the connected TCP clients, at most as many as there are places.
type clients struct {
	places int

	mu      sync.Mutex
	changed sync.Cond // a client has left or is idle, or all end
	all     map[*client]bool
	turns   uint64
	ended   bool
}

// A client is a connection, which a goroutine of its own serves.
type client struct {
	conn net.Conn

	// Guarded by clients.mu:
	turn   uint64 // the order in which clients became idle; 0 for a busy client
	ending bool

	// Used by the goroutine only:
	draining bool      // it is ending, and reads the data that has arrived
	until    time.Time // when draining ends
	left     int       // bytes that may be read while draining
	mute     bool      // writing an answer has failed
}

func newClients(places int) *clients {
	cs := &clients{places: places, all: map[*client]bool{}}
	cs.changed.L = &cs.mu
	return cs
}

// enter waits for a place, and ends the client that has been idle longest if none is
// free. It reports false if all clients end.
func (cs *clients) enter(c *client) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for !cs.ended && len(cs.all) >= cs.places {
		if idle := cs.oldestIdle(); idle != nil {
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

// full reports whether all places are taken.
func (cs *clients) full() bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.all) >= cs.places
}

// oldestIdle returns the client that has been idle longest, or nil.
func (cs *clients) oldestIdle() *client {
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

// setIdle records whether a client is idle or its requests are being handled.
func (cs *clients) setIdle(c *client, idle bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if c.turn = 0; idle {
		cs.idle(c)
	}
}

// leave frees the place of a client.
func (cs *clients) leave(c *client) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.all, c)
	cs.changed.Broadcast()
}

// dismiss ends a client.
func (cs *clients) dismiss(c *client) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c.end()
}

// end ends all clients, and rejects further ones.
func (cs *clients) end() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.ended = true
	for c := range cs.all {
		c.end()
	}
	cs.changed.Broadcast()
}

// end ends the connection after the data that has arrived was read, see Read.
func (c *client) end() {
	if !c.ending {
		c.ending = true
		c.conn.SetReadDeadline(past)
	}
}
