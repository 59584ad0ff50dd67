package xmpp

import (
	"context"
	"fmt"
	"sync"
	"time"

	"vext/notify"
)

// A session is a stream that has logged in. The goroutine of run reads; any goroutine
// writes, one at a time.
type session struct {
	*stream
	self     string // the bound full JID
	handlers []Handler
	pace     pace
	ready    func() // called when the server has handled our presence, before what it sends is

	turn chan struct{} // holds one value while somebody writes, or changes what is below
	// pinged is the check whose ping is in flight. Whoever comes while it is waits for
	// next: a ping that is sent later confirms what is sent now.
	pinged, next *check
	pings        int
	outcome      error // why the session ends

	ending sync.Once
}

// A check is a ping, whose answer confirms all that was sent before it.
type check struct {
	id    string
	done  chan struct{} // closed when there is an outcome
	err   error
	timer *time.Timer
}

func newSession(s *stream, self string, handlers []Handler, p pace) *session {
	return &session{stream: s, self: self, handlers: handlers, pace: p, ready: func() {}, turn: make(chan struct{}, 1)}
}

// run handles what the server sends until the session ends, and returns why.
func (s *session) run(ctx context.Context, wake <-chan struct{}) error {
	ended := make(chan struct{})
	var pinger sync.WaitGroup
	pinger.Go(func() {
		ticker := time.NewTicker(s.pace.ping)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				s.ping()
			case <-wake:
				s.ping()
			case <-ctx.Done():
				s.leave(ended)
				return
			case <-ended:
				return
			}
		}
	})
	s.ping()
	err := s.begin()
	for err == nil {
		var e *element
		if e, err = s.stream.next(); err == nil {
			err = s.handle(e)
		}
	}
	s.end(err)
	close(ended)
	pinger.Wait()
	s.lock()
	defer s.unlock()
	for _, c := range []*check{s.pinged, s.next} {
		s.finish(c, s.outcome)
	}
	s.pinged, s.next = nil, nil
	return s.outcome
}

// maxEarly bounds, in bytes, what is kept until the server has handled our presence.
const maxEarly = 1 << 20

// begin reads until the server has handled our presence, calls ready, and handles what was
// read. So a message that the server had not stored, and no other, arrives after ready.
func (s *session) begin() error {
	var early []*element
	for size := 0; size < maxEarly; size += maxStanza - s.raw.left {
		e, err := s.stream.next()
		if err != nil {
			return err
		}
		if early = append(early, e); e.is(nsClient, "iq") && e.attr("id") == pingID(1) && s.isServer(e.attr("from")) {
			break
		}
	}
	s.ready()
	for _, e := range early {
		if err := s.handle(e); err != nil {
			return err
		}
	}
	return nil
}

func pingID(n int) string { return fmt.Sprint("ping-", n) }

func (s *session) lock()   { s.turn <- struct{}{} }
func (s *session) unlock() { <-s.turn }

// end ends the session for a reason. Only the first counts.
func (s *session) end(err error) {
	s.ending.Do(func() {
		s.outcome = err
		s.raw.Conn.Close()
	})
}

// leave closes the stream, and waits until the server has closed it, too, so that it sends
// nothing more to this resource. It does not wait for long.
func (s *session) leave(ended <-chan struct{}) {
	timer := time.AfterFunc(s.pace.leave, func() { s.end(context.Canceled) })
	defer timer.Stop()
	s.lock()
	s.conn.Write([]byte("</stream:stream>"))
	s.unlock()
	<-ended
}

// ping sends a ping, unless one is in flight. The session ends when no answer comes.
func (s *session) ping() {
	s.lock()
	defer s.unlock()
	s.check()
}

// check returns the check that confirms all that was written until now.
func (s *session) check() *check {
	c := &check{done: make(chan struct{})}
	switch {
	case s.pinged == nil:
		s.pinged = c
		s.sendPing(c)
		return c
	case s.next == nil:
		s.next = c
	}
	return s.next
}

// sendPing sends the ping of a check.
func (s *session) sendPing(c *check) {
	s.pings++
	c.id = pingID(s.pings)
	c.timer = time.AfterFunc(s.pace.answer, func() { s.end(errSilent) })
	ping := node(nsClient, "iq", "id", c.id, "to", s.domain, attrType, "get").with(node(nsPing, "ping"))
	if err := s.send(ping); err != nil {
		s.end(err)
	}
}

// finish gives a check its outcome.
func (s *session) finish(c *check, err error) {
	if c == nil {
		return
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	c.err = err
	close(c.done)
}

// answered ends the check of a ping, and begins the next one. An error is an answer, too.
func (s *session) answered(id string) {
	s.lock()
	defer s.unlock()
	if s.pinged == nil || s.pinged.id != id {
		return
	}
	s.finish(s.pinged, nil)
	if s.pinged, s.next = s.next, nil; s.pinged != nil {
		s.sendPing(s.pinged)
	}
}

// write writes an element. It returns the check that confirms it, if that is wanted.
func (s *session) write(ctx context.Context, e *element, confirm bool) (c *check, err error) {
	select {
	case s.turn <- struct{}{}:
		defer s.unlock()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := s.send(e); err != nil {
		s.end(err)
		return nil, &notify.UnavailableError{Err: err}
	}
	if confirm {
		c = s.check()
	}
	return c, nil
}

// deliver writes a stanza, and waits until the server has it.
func (s *session) deliver(ctx context.Context, e *element) error {
	c, err := s.write(ctx, e, true)
	if err != nil {
		return err
	}
	select {
	case <-c.done:
		if c.err != nil {
			return &notify.UnavailableError{Err: c.err}
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
