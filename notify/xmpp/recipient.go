package xmpp

import (
	"context"
	"errors"
	"sync"
	"time"

	"vext/internal/backoff"
	"vext/internal/target"
	"vext/notify"
)

// A recipient is a person or a room. One goroutine delivers to it, one message after the
// other; what the server sends meanwhile changes what mu guards.
type recipient struct {
	*Transport
	target target.Target
	url    string
	bodies struct { // of the message that is delivered in several
		number uint64 // in the outbox
		done   int    // confirmed
	}
	proven time.Time // when the last message was accepted for sure, by a receipt or by silence
	used   time.Time // when there was something to deliver

	changed chan struct{} // room for one: something below has changed, or may be claimed

	mu       sync.Mutex
	password string // of the room
	state    membership
	since    time.Time // of the state
	nick     string    // ours, in the room
	isAway   bool      // the connection or the room may have been unavailable
	retry    time.Time // not before then; zero for now
	tries    int       // that failed in a row
	problem  string
	isBarred bool      // the problem is that we are not in the room
	failing  time.Time // since when there is a problem
	kicked   time.Time // when we were last
	joining  error     // why the last join has failed
	receipt  time.Time // when the last one came
	sent     sentMessage
	recent   []string // IDs of messages that were confirmed
}

// A membership says whether we are in a room.
type membership int

const (
	outside membership = iota
	entering
	inside
)

// errLost is the error of messages that may not have arrived.
var errLost = errors.New("the connection was lost before the confirmation")

// A stanzaError is an error that the server, the room or the person's server has sent.
type stanzaError struct{ condition, text string }

func (e *stanzaError) Error() string {
	if e.text == "" {
		return e.condition
	}
	return e.text + " (" + e.condition + ")"
}

func newRecipient(t *Transport, to target.Target, url string) *recipient {
	return &recipient{Transport: t, target: to, url: url, changed: make(chan struct{}, 1), since: t.Now(), used: t.Now(), nick: t.Nick}
}

// change changes the state, and wakes the goroutine.
func (r *recipient) change(f func()) {
	r.mu.Lock()
	f()
	r.mu.Unlock()
	select {
	case r.changed <- struct{}{}:
	default: // it will look
	}
}

// wake says that there may be something to claim, and which password the room has.
func (r *recipient) wake(password string) {
	r.change(func() {
		if password != "" && password != r.password {
			r.password, r.retry = password, time.Time{}
		}
	})
}

// enter changes the membership. Callers hold mu.
func (r *recipient) enter(m membership) {
	if r.state != m {
		r.state, r.since = m, r.Now()
	}
}

// is returns what f returns, which is called with mu held.
func (r *recipient) is(f func() bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return f()
}

func (r *recipient) locked(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// idleTime is how long a room is kept in which nothing is to be said.
const idleTime = 30 * time.Minute

// run delivers until ctx ends.
func (r *recipient) run(ctx context.Context) {
	for ctx.Err() == nil {
		timer := time.NewTimer(r.step(ctx))
		select {
		case <-timer.C:
		case <-r.changed:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// step does what is to be done now, and returns how long nothing more is to be done unless
// something changes.
func (r *recipient) step(ctx context.Context) time.Duration {
	if !r.up() {
		return idleTime
	}
	if wait := r.wait(); wait > 0 {
		return wait
	}
	if !r.target.IsPerson {
		isWanted, wait := r.isWanted(ctx)
		if !isWanted {
			return wait
		}
		if err := r.join(ctx); err != nil {
			return r.wait()
		}
	}
	for ctx.Err() == nil && r.up() && r.wait() == 0 {
		claim, err := r.claim()
		if err != nil {
			r.Log.Error("the outbox can't be read", "err", err)
			r.fail(err, false)
			break
		}
		if claim == nil {
			return idleTime
		}
		r.used = r.Now()
		r.finish(claim, r.deliver(ctx, claim))
	}
	return r.wait()
}

// wait returns how long until the next try, 0 for now.
func (r *recipient) wait() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(0, r.retry.Sub(r.Now()))
}

// isWanted reports whether we should be in the room, and if not, when to look again. It
// leaves a room that nobody needs.
func (r *recipient) isWanted(ctx context.Context) (bool, time.Duration) {
	if b, err := r.queue.Backlog(r.url); r.keep[r.url] || err != nil || b.Count > 0 {
		return true, 0
	}
	left := r.used.Add(idleTime).Sub(r.Now())
	if left <= 0 && r.is(func() bool { return r.state != outside }) {
		r.leave(ctx)
	}
	if left <= 0 {
		left = idleTime
	}
	return false, left
}

// retries is the backoff after errors.
var retries = backoff.Backoff{Min: 2 * time.Second, Max: 10 * time.Minute}

// maxTries is how often something is tried that has failed permanently, as the server says:
// an account or a room that is not there, or does not let us in. Some servers say that while
// they start.
const maxTries = 3

// fail records a problem, of a join or of a message, and returns how many tries have failed
// in a row.
func (r *recipient) fail(err error, isJoin bool) (tries int) {
	now := r.Now()
	r.locked(func() {
		r.tries++
		tries = r.tries
		r.retry = now.Add(retries.After(r.tries))
		if r.failing.IsZero() {
			r.failing = now
		}
		r.problem, r.isBarred = err.Error(), isJoin
	})
	r.Log.Warn("xmpp: not delivered", "to", r.url, "err", err, "again", retries.After(tries).String())
	return tries
}

// works records that there is no problem any more.
func (r *recipient) works() {
	r.locked(func() { r.tries, r.retry, r.problem, r.failing = 0, time.Time{}, "", time.Time{} })
}

// finish ends a claim, as its delivery did.
func (r *recipient) finish(c *notify.Claim, err error) {
	switch {
	case err == nil:
		r.works()
		r.queue.Done(c, nil)
	case errors.Is(err, context.Canceled), errors.Is(err, errLost), notify.IsUnavailable(err):
		r.locked(func() { r.retry = r.Now().Add(retries.Min) }) // or until there is a connection
		r.queue.Done(c, notify.ErrNotSent)
	case isFault(err): // of this message
		r.queue.Done(c, &notify.PermanentError{Err: err})
	default:
		tries := r.fail(err, false)
		if hasCondition(err, notInside) && !r.target.IsPerson {
			r.locked(func() { r.enter(outside); r.isAway = true })
		}
		if isFinal(err) && tries >= maxTries && (r.target.IsPerson || c.Reminder) {
			r.queue.Done(c, &notify.PermanentError{Err: err})
			return
		}
		r.queue.Done(c, err)
	}
}
