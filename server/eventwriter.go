package server

import (
	"io"
	"sync"
	"time"
)

// An EventWriter writes lines in a goroutine of its own, so that a reader that is slow
// or stopped does not hold up the daemon.
type EventWriter struct {
	failed func()
	mu     sync.Mutex
	lines  []string
	more   chan struct{} // a line was added, or closed was set
	closed bool
	ended  chan struct{}
	err    error // once ended is closed
}

// NewEventWriter returns a writer to w. failed is called after an error of writing.
func NewEventWriter(w io.Writer, failed func()) *EventWriter {
	e := &EventWriter{failed: failed, more: make(chan struct{}, 1), ended: make(chan struct{})}
	go e.run(w)
	return e
}

// maxEvents bounds the lines for a reader that has stopped.
const maxEvents = 100_000

// Add writes a line soon. Lines are lost when nobody reads a hundred thousand before.
func (e *EventWriter) Add(line string) {
	e.mu.Lock()
	if len(e.lines) < maxEvents {
		e.lines = append(e.lines, line)
	}
	e.mu.Unlock()
	e.signal()
}

func (e *EventWriter) signal() {
	select {
	case e.more <- struct{}{}:
	default:
	}
}

func (e *EventWriter) run(w io.Writer) {
	defer close(e.ended)
	for range e.more {
		e.mu.Lock()
		lines, closed := e.lines, e.closed
		e.lines = nil
		e.mu.Unlock()
		for _, line := range lines {
			if _, e.err = io.WriteString(w, line+"\n"); e.err != nil {
				e.failed()
				return
			}
		}
		if closed {
			return
		}
	}
}

// flushTime is how long a reader has, at the end, to read the last events.
const flushTime = 500 * time.Millisecond

// Close waits until the events are written, and returns the error of writing.
func (e *EventWriter) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.signal()
	select {
	case <-e.ended:
		return e.err
	case <-time.After(flushTime):
		return nil
	}
}
