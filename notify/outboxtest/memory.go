package outboxtest

import (
	"context"
	"slices"
	"sync"
	"time"

	"vext/internal/target"
	"vext/notify"
)

// A Memory is an Outbox that keeps lines in memory, and delivers none. The zero value
// is ready for use; it is safe for use by many goroutines.
type Memory struct {
	mu    sync.Mutex
	lines []held
}

// A held is a line that was taken, and not forgotten.
type held struct {
	notify.Message
	notify.Outcome
	onWire bool
}

func (h *held) isOpen() bool { return h.Delivered.IsZero() && h.Rejected == "" }

// taken is the time at which a Memory says that it accepted or delivered a line.
var taken = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// index returns the index of the line with a key, -1 when there is none.
func (m *Memory) index(key string) int {
	return slices.IndexFunc(m.lines, func(h held) bool { return key != "" && h.Key == key })
}

// Put implements notify.Outbox.
func (m *Memory) Put(ctx context.Context, lines ...notify.Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	for i := range lines {
		if _, err := target.Parse(lines[i].Target); err != nil {
			return err
		}
	}
	for _, l := range lines {
		if m.index(l.Key) < 0 {
			m.lines = append(m.lines, held{Message: l, Outcome: notify.Outcome{Accepted: taken}})
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
			known[key] = m.lines[i].Outcome
		}
	}
	return known, nil
}

// Pending implements notify.Outbox.
func (m *Memory) Pending(context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for i := range m.lines {
		if h := &m.lines[i]; h.Key != "" && h.isOpen() {
			keys = append(keys, h.Key)
		}
	}
	return keys, nil
}

// Withdraw implements notify.Outbox.
func (m *Memory) Withdraw(_ context.Context, keys ...string) (back []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		if i := m.index(key); i >= 0 && m.lines[i].isOpen() && !m.lines[i].onWire {
			m.lines = slices.Delete(m.lines, i, i+1)
			back = append(back, key)
		}
	}
	return back, nil
}

// Forget implements notify.Outbox.
func (m *Memory) Forget(_ context.Context, keys ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		if i := m.index(key); i >= 0 {
			m.lines[i].Key = ""
		}
	}
	return nil
}

// Send puts a line on the wire, from where it can't be taken back.
func (m *Memory) Send(key string) { m.change(key, func(h *held) { h.onWire = true }) }

// Tell confirms a line.
func (m *Memory) Tell(key string) { m.change(key, func(h *held) { h.Delivered = taken }) }

// Reject says that a line will never be told.
func (m *Memory) Reject(key, reason string) { m.change(key, func(h *held) { h.Rejected = reason }) }

func (m *Memory) change(key string, change func(*held)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.lines[m.index(key)])
}

// Case returns what Test wants of an Outbox that is m, or is made of it.
func (m *Memory) Case(outlet notify.Outbox) Case { return Case{outlet, m.Send, m.Tell, m.Reject} }
