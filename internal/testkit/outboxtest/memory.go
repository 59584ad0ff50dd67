package outboxtest

import (
	"context"
	"slices"
	"sync"
	"time"

	"vext/internal/target"
	"vext/notify"
)

// A Memory is an Outbox in memory, which delivers nothing. The zero value is ready for
// use; it is safe for use by many goroutines.
type Memory struct {
	mu   sync.Mutex
	held []held
}

// A held is a message that was put.
type held struct {
	notify.Message
	notify.Outcome
	inFlight bool
}

func (h *held) isPending() bool { return h.Delivered.IsZero() && h.Rejected == "" }

// then is the time at which a Memory accepts and delivers messages.
var then = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// index returns the index of the message with a key, -1 when there is none.
func (m *Memory) index(key string) int {
	return slices.IndexFunc(m.held, func(h held) bool { return key != "" && h.Key == key })
}

// Put implements notify.Outbox.
func (m *Memory) Put(ctx context.Context, all ...notify.Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	for i := range all {
		if _, err := target.Parse(all[i].Target); err != nil {
			return err
		}
	}
	for _, one := range all {
		if m.index(one.Key) < 0 {
			m.held = append(m.held, held{Message: one, Outcome: notify.Outcome{Accepted: then}})
		}
	}
	return nil
}

// Outcomes implements notify.Outbox.
func (m *Memory) Outcomes(_ context.Context, keys ...string) (map[string]notify.Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := map[string]notify.Outcome{}
	for _, key := range keys {
		if i := m.index(key); i >= 0 {
			known[key] = m.held[i].Outcome
		}
	}
	return known, nil
}

// Pending implements notify.Outbox.
func (m *Memory) Pending(context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for i := range m.held {
		if h := &m.held[i]; h.Key != "" && h.isPending() {
			keys = append(keys, h.Key)
		}
	}
	return keys, nil
}

// Bounces implements notify.Outbox.
func (m *Memory) Bounces(_ context.Context, now time.Time) ([]notify.Bounce, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []notify.Bounce
	for i := range m.held {
		h := &m.held[i]
		if h.isPending() && !h.inFlight && !h.Deadline.IsZero() && (!h.Deadline.After(now) || h.Deadline.Sub(now) > 7*24*time.Hour) {
			h.Rejected = "it could not be delivered in time"
		}
		if h.Key != "" && h.Rejected != "" {
			all = append(all, notify.Bounce{Key: h.Key, Target: h.Target, Reason: h.Rejected})
		}
	}
	return all, nil
}

// Bounce implements notify.Outbox.
func (m *Memory) Bounce(_ context.Context, reason string, keys ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		if i := m.index(key); i >= 0 && m.held[i].isPending() && !m.held[i].inFlight {
			m.held[i].Rejected = reason
		}
	}
	return nil
}

// Forget implements notify.Outbox.
func (m *Memory) Forget(_ context.Context, keys ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		if i := m.index(key); i >= 0 {
			m.held[i].Key = ""
		}
	}
	return nil
}

// Claim puts a message in flight.
func (m *Memory) Claim(key string) { m.change(key, func(h *held) { h.inFlight = true }) }

// Deliver confirms a message.
func (m *Memory) Deliver(key string) { m.change(key, func(h *held) { h.Delivered = then }) }

// Reject rejects a message permanently.
func (m *Memory) Reject(key, reason string) { m.change(key, func(h *held) { h.Rejected = reason }) }

func (m *Memory) change(key string, change func(*held)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.held[m.index(key)])
}

// Case returns what Test needs of an Outbox that is m, or is made of it.
func (m *Memory) Case(o notify.Outbox) Case {
	return Case{Outbox: o, Claim: m.Claim, Deliver: m.Deliver, Reject: m.Reject}
}
