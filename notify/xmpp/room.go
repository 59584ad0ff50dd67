package xmpp

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"vext/notify"
)

// Codes of XEP-0045, section 15.6, in presence.
const (
	codeOurs    = 110
	codeCreated = 201
	codeBanned  = 301
	codeNick    = 303
	codeKicked  = 307
)

// maxNicks bounds the nicks that are tried.
const maxNicks = 4

// errNoRoom says that the room was made by our joining it. Nobody is in it, and the server
// lets nobody in before its owner has configured it.
var errNoRoom = &stanzaError{"item-not-found", "the room does not exist; create it with a client"}

// join enters the room unless we are in it. After errors that will not pass by themselves it
// bounces the reminders, so that they go by mail.
func (r *recipient) join(ctx context.Context) error {
	if r.is(func() bool { return r.state == inside }) {
		return nil
	}
	r.locked(func() { r.nick = r.Nick })
	err := r.enterRoom(ctx)
	for n := 1; n < maxNicks && hasCondition(err, "conflict"); n++ {
		r.locked(func() { r.nick += "_" })
		err = r.enterRoom(ctx)
	}
	switch {
	case err == nil:
		if r.is(func() bool { return r.isBarred }) {
			r.works()
		}
		r.Log.Info("xmpp: joined", "room", r.url)
	case errors.Is(err, context.Canceled), notify.IsUnavailable(err):
		r.locked(func() { r.enter(outside); r.retry = r.Now().Add(retries.Min) })
	default:
		if tries := r.fail(err, true); isFinal(err) && tries >= maxTries {
			r.bounceReminders(err)
		}
		r.locked(func() { r.enter(outside); r.isAway = true })
	}
	return err
}

// enterRoom tries to join with the nick, and waits for the answer.
func (r *recipient) enterRoom(ctx context.Context) error {
	var to, password string
	r.locked(func() {
		r.enter(entering)
		r.joining = nil
		to, password = r.occupant(), r.password
	})
	if err := r.conn.SendPresence(ctx, to, PresenceOptions{Room: true, Password: password}); err != nil {
		return &notify.UnavailableError{Err: err}
	}
	err := r.await(ctx, joinTime, func() bool { return r.state != entering || r.joining != nil })
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		r.leave(ctx)
		return errors.New("the room does not answer")
	case err != nil:
		return err
	}
	r.locked(func() {
		if err = r.joining; err == nil && r.state == outside {
			err = &notify.UnavailableError{Err: errLost}
		}
	})
	if err == errNoRoom {
		r.leave(ctx)
	}
	return err
}

// leave leaves the room.
func (r *recipient) leave(ctx context.Context) {
	var to string
	r.locked(func() {
		to = r.occupant()
		r.enter(outside)
	})
	if err := r.conn.SendPresence(ctx, to, PresenceOptions{Leave: true}); err != nil {
		r.Log.Debug("xmpp: cannot leave", "room", r.url, "err", err)
	}
}

// bounceReminders bounces the pending reminders, because the room does not let us in. The
// other messages wait until it does.
func (r *recipient) bounceReminders(why error) {
	for after := uint64(0); ; {
		c, err := r.queue.Next(r.url, after)
		if err != nil || c == nil {
			return
		}
		after = c.Number
		if c.Reminder {
			r.queue.Done(c, &notify.PermanentError{Err: why})
		} else {
			r.queue.Done(c, notify.ErrNotSent)
		}
	}
}

// occupant returns our address in the room. Callers hold mu.
func (r *recipient) occupant() string { return r.target.Name + "/" + r.nick }

// present handles presence in the room: that of ourselves, or an answer to our joining.
func (r *recipient) present(p Presence) {
	r.mu.Lock()
	_, nick, _ := strings.Cut(p.From, "/")
	isOurs, state := nick == r.nick || slices.Contains(p.Codes, codeOurs), r.state
	r.mu.Unlock()
	isError := p.Type == "error" || p.Error != ""
	switch {
	case isError && state == entering && (isOurs || nick == ""):
		r.change(func() { r.joining = roomError(p) })
	case isError || !isOurs:
	case p.Available && state == entering:
		r.change(func() {
			if slices.Contains(p.Codes, codeCreated) {
				r.joining = errNoRoom
				return
			}
			r.enter(inside)
			r.nick = nick
		})
	case !p.Available && slices.Contains(p.Codes, codeNick) && p.Nick != "":
		r.change(func() { r.nick = p.Nick })
	case !p.Available && state == inside:
		r.removed(p)
	}
}

// Pauses after a kick: the first, and another one soon after it.
const (
	kickPause  = 10 * time.Second
	kicksPause = time.Hour
)

// removed handles that the room has removed us.
func (r *recipient) removed(p Presence) {
	what := "taken out of the room"
	switch {
	case slices.Contains(p.Codes, codeBanned):
		what = "banned from the room"
	case slices.Contains(p.Codes, codeKicked):
		what = "kicked out of the room"
	}
	if p.Text != "" {
		what += ": " + p.Text
	}
	now := r.Now()
	pause := kickPause
	r.change(func() {
		if !r.kicked.IsZero() && now.Sub(r.kicked) < kicksPause {
			pause = kicksPause
		}
		r.enter(outside)
		r.isAway, r.kicked, r.retry, r.problem, r.isBarred = true, now, now.Add(pause), what, true
		if r.failing.IsZero() {
			r.failing = now
		}
		r.sent.fail(errLost)
	})
	r.Log.Warn("xmpp: out of a room", "room", r.url, "reason", what, "again", pause.String())
}
