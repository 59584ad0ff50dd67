// Package xmpptest has a connection to XMPP without a server.
package xmpptest

import (
	"context"
	"slices"
	"sync"

	"vext/notify"
	"vext/notify/xmpp"
)

// A Fake is an xmpp.Connection whose server is the test. It is safe for use by many
// goroutines.
type Fake struct {
	mu        sync.Mutex
	handlers  []xmpp.Handler
	self      string // "" while it is not connected
	messages  []xmpp.Message
	presences []Presence
	failure   error
	changed   chan struct{} // closed, and made again, when something was sent
}

// A Presence is one that was sent.
type Presence struct {
	To string
	xmpp.PresenceOptions
}

// New returns a connection that is not connected.
func New() *Fake { return &Fake{changed: make(chan struct{})} }

// Handle implements xmpp.Connection.
func (f *Fake) Handle(h xmpp.Handler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handlers = append(f.handlers, h)
}

// Send implements xmpp.Connection.
func (f *Fake) Send(ctx context.Context, m xmpp.Message) error {
	return f.record(ctx, func() { f.messages = append(f.messages, m) })
}

// SendPresence implements xmpp.Connection.
func (f *Fake) SendPresence(ctx context.Context, to string, p xmpp.PresenceOptions) error {
	return f.record(ctx, func() { f.presences = append(f.presences, Presence{to, p}) })
}

func (f *Fake) record(ctx context.Context, add func()) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case f.self == "":
		return &notify.UnavailableError{Err: xmpp.ErrNotConnected}
	case f.failure != nil:
		return f.failure
	}
	add()
	close(f.changed)
	f.changed = make(chan struct{})
	return nil
}

// Status implements xmpp.Connection.
func (f *Fake) Status() xmpp.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return xmpp.Status{Account: xmpp.Bare(f.self), Connected: f.self != "", Self: f.self}
}

// Connect connects as a full JID.
func (f *Fake) Connect(self string) {
	f.mu.Lock()
	f.self = self
	f.mu.Unlock()
	f.each(func(h xmpp.Handler) {
		if h.Connected != nil {
			h.Connected(self)
		}
	})
}

// Disconnect loses the connection.
func (f *Fake) Disconnect(err error) {
	f.mu.Lock()
	f.self = ""
	f.mu.Unlock()
	f.each(func(h xmpp.Handler) {
		if h.Disconnected != nil {
			h.Disconnected(err)
		}
	})
}

// Receive makes a message arrive.
func (f *Fake) Receive(m xmpp.Message) {
	f.each(func(h xmpp.Handler) {
		if h.Message != nil {
			h.Message(m)
		}
	})
}

// Show makes presence arrive.
func (f *Fake) Show(p xmpp.Presence) {
	f.each(func(h xmpp.Handler) {
		if h.Presence != nil {
			h.Presence(p)
		}
	})
}

// Fail makes everything that is sent fail from now on, until err is nil.
func (f *Fake) Fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failure = err
}

// Messages returns what was sent, in order.
func (f *Fake) Messages() []xmpp.Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.messages)
}

// Presences returns the presence that was sent, in order.
func (f *Fake) Presences() []Presence {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.presences)
}

// Changed returns a channel that is closed when something else was sent.
func (f *Fake) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

func (f *Fake) each(call func(xmpp.Handler)) {
	f.mu.Lock()
	handlers := slices.Clone(f.handlers)
	f.mu.Unlock()
	for _, h := range handlers {
		call(h)
	}
}
