package xmpp

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"time"

	"vext/notify"
)

// A sentMessage is the message that was sent and has no answer yet.
type sentMessage struct {
	id, body string
	isSeen   bool  // the room has sent it to all, or the person has a receipt
	err      error // what came instead
}

// fail records why the message, if there is one, was not delivered.
func (m *sentMessage) fail(err error) {
	if m.id != "" && m.err == nil {
		m.err = err
	}
}

// A message without an error after this time was accepted: by our own server, by another
// one, which has to be reached first.
const (
	ownGrace   = time.Second
	otherGrace = 10 * time.Second
	provenTime = 10 * time.Minute // after which it is waited for again
)

// Bounds of waiting.
const (
	sendTime = time.Minute      // for the server's confirmation
	echoTime = 20 * time.Second // for a room to send us our message
	joinTime = 30 * time.Second
)

// deliver sends a message, in several if it is long. What has been confirmed of it is not
// sent again.
func (r *recipient) deliver(ctx context.Context, c *notify.Claim) error {
	if r.bodies.number != c.Number {
		r.bodies.number, r.bodies.done = c.Number, 0
	}
	for _, body := range split(c.Text, maxBody)[r.bodies.done:] {
		if err := r.waitTurn(ctx); err != nil {
			return err
		}
		if err := r.send(ctx, body, c.Reminder); err != nil {
			return err
		}
		r.bodies.done++
	}
	return nil
}

// send sends one message and waits until it is confirmed. isCareful is whether to wait for
// an error in any case.
func (r *recipient) send(ctx context.Context, body string, isCareful bool) error {
	m := Message{ID: rand.Text(), To: r.target.Name, Type: "groupchat", Body: body}
	if r.target.IsPerson {
		m.Type, m.Request = "chat", true
	}
	r.locked(func() { r.sent = sentMessage{id: m.ID, body: body} })
	defer r.locked(func() {
		r.recent = append(r.recent, r.sent.id)[max(0, len(r.recent)+1-maxRecent):]
		r.sent = sentMessage{}
	})
	bounded, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	if err := r.conn.Send(bounded, m); notify.IsPermanent(err) {
		return err
	} else if err != nil {
		return &notify.UnavailableError{Err: err}
	}
	isEnd := func() bool { return r.sent.isSeen || r.sent.err != nil }
	if r.target.IsPerson {
		if grace := r.grace(isCareful); r.await(ctx, grace, isEnd) != nil && ctx.Err() != nil {
			return nil // the server has it
		}
	} else if r.await(ctx, echoTime, isEnd) != nil {
		if ctx.Err() == nil {
			r.leave(ctx)
			return errors.New("the room has not sent the message to its occupants")
		}
		return errLost
	}
	var err error
	r.locked(func() { err = r.sent.err })
	if r.target.IsPerson && errors.Is(err, errLost) {
		return nil // the server has it
	}
	if err == nil {
		r.proven = r.Now()
	}
	return err
}

// maxRecent bounds the messages whose late errors are recognised.
const maxRecent = 20

// grace returns how long to wait for an error about a message to a person.
func (r *recipient) grace(isCareful bool) time.Duration {
	_, domain, _ := strings.Cut(r.Account, "@")
	switch {
	case !isCareful && !r.proven.IsZero() && r.Now().Sub(r.proven) < provenTime:
		return 0
	case r.target.Host == domain:
		return ownGrace
	}
	return otherGrace
}

// await waits until isEnd returns true, which is called with mu held.
func (r *recipient) await(ctx context.Context, limit time.Duration, isEnd func() bool) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		if r.is(isEnd) {
			return nil
		}
		select {
		case <-r.changed:
		case <-timer.C:
			return context.DeadlineExceeded
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// received handles a message of the recipient.
func (r *recipient) received(m Message) {
	r.mu.Lock()
	isOurs, isRecent := m.ID != "" && m.ID == r.sent.id, slices.Contains(r.recent, m.ID)
	isReceipt := m.Receipt != "" && (m.Receipt == r.sent.id || slices.Contains(r.recent, m.Receipt))
	isEcho := m.Type == "groupchat" && r.sent.id != "" && m.From == r.occupant() && (isOurs || m.Body == r.sent.body)
	r.mu.Unlock()
	switch {
	case m.Type == "error" && isOurs:
		r.change(func() { r.sent.fail(messageError(m)) })
	case m.Type == "error" && isRecent:
		r.late(messageError(m))
	case m.Type == "error":
	case isReceipt && r.target.IsPerson:
		r.change(func() { r.receipt, r.sent.isSeen = r.Now(), r.sent.isSeen || m.Receipt == r.sent.id })
	case isEcho && !r.target.IsPerson:
		r.change(func() { r.sent.isSeen = true })
	}
}

// late handles an error about a message that has been recorded as delivered.
func (r *recipient) late(err error) {
	now := r.Now()
	r.change(func() {
		r.proven = time.Time{}
		r.problem = "a message has come back late: " + err.Error()
		if r.failing.IsZero() {
			r.failing = now
		}
	})
	r.Log.Error("xmpp: a message has come back after its delivery was recorded", "to", r.url, "err", err)
}
