package irc

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lrstanley/girc"

	"vext/notify"
)

// confirmed handles an answer with a label. It reports whether e was one. Only
// the echo, or ACK, confirms; of an answer of several lines all count, for a
// server may say more than one thing about a message.
func (l *link) confirmed(e *girc.Event) bool {
	w := l.labelled(e)
	if w == nil {
		return false
	}
	isOver := !w.isBatch
	switch {
	case e.Command == "BATCH":
		isOver = e.Params[0][0] == '-'
	case isError(e.Command) && len(e.Params) > 0:
		l.isOutside(w.flight.room, e.Command)
		w.rejection = w.rejection.and(l.complaint(e).rejection)
	case e.Command == girc.NOTICE && l.isDropped(e):
		w.rejection = w.rejection.and(droppedBy(e))
	case e.Command != "ACK" && !(l.isMe(e) && (e.Command == girc.PRIVMSG || e.Command == girc.NOTICE)):
		isOver = false // RPL_AWAY, and what else is good to know
	}
	if isOver {
		l.resolve(w, w.rejection)
	}
	return true
}

// labelled returns the wire that e answers to, nil for none.
func (l *link) labelled(e *girc.Event) *wire {
	if e.Command == "BATCH" && (len(e.Params) == 0 || e.Params[0] == "") {
		return nil
	}
	if e.Command == "BATCH" && e.Params[0][0] == '-' {
		w := l.batches[e.Params[0][1:]]
		delete(l.batches, e.Params[0][1:])
		return w
	}
	if ref, ok := e.Tags.Get("batch"); ok {
		return l.batches[ref]
	}
	token, ok := e.Tags.Get("label")
	if !ok {
		return nil
	}
	i := slices.IndexFunc(l.wires, func(w *wire) bool { return w.flight != nil && w.token == token })
	if i < 0 {
		return nil
	}
	if e.Command == "BATCH" {
		if l.batches == nil {
			l.batches = map[string]*wire{}
		}
		l.batches[e.Params[0][1:]] = l.wires[i]
		l.wires[i].isBatch = true
	}
	return l.wires[i]
}

// pong confirms what was sent before the PING, but for what the server has
// complained of meanwhile: a server answers in the order in which it was asked.
// Where it has complained of some messages to a room, and not of all, they were
// the last of them if we were thrown out before. Else nobody can say which they
// were, and all of them are told again, one by one: only then is one rejected.
func (l *link) pong(token string) {
	end := slices.IndexFunc(l.wires, func(w *wire) bool { return w.flight == nil && w.token == token })
	if end < 0 {
		return
	}
	before := slices.Clone(l.wires[:end])
	l.answered(l.wires[end].number)
	l.wires = l.wires[end+1:]
	left, lines, all := map[*room]int{}, map[*room]int{}, map[*flight]bool{}
	for _, w := range before {
		if w.flight == nil {
			continue
		}
		left[w.flight.room]++
		if !all[w.flight] {
			lines[w.flight.room]++
		}
		all[w.flight] = true
	}
	for _, w := range before {
		if w.flight == nil {
			continue
		}
		r, no := w.flight.room, rejection{}
		if r.errors > 0 && (!r.isOut || left[r] <= r.errors) {
			no = r.rejection
			r.careful = l.client.Now().Add(carefulTime)
			if r.isVague && len(all) > 1 {
				l.careful = r.careful
			}
			if lines[r] > 1 || r.isVague && len(all) > 1 {
				no.verdict = no.verdict.ofSeveral()
			}
		}
		left[r]--
		l.settle(w, no)
	}
	for r := range left {
		r.forgive()
	}
}

// resolve takes a wire off, confirmed or refused, once: a server can answer late,
// or twice.
func (l *link) resolve(w *wire, no rejection) {
	i := slices.Index(l.wires, w)
	if i < 0 {
		return
	}
	l.wires = slices.Delete(l.wires, i, i+1)
	l.settle(w, no)
}

// settle records what became of a wire, and with the last one of its flight.
func (l *link) settle(w *wire, no rejection) {
	f, now := w.flight, l.client.Now()
	f.open--
	f.room.open--
	if no.text != "" {
		f.rejection, f.left = f.rejection.and(no), nil
		if f.room.current == f {
			f.room.current = nil
		}
	}
	switch {
	case f.open > 0 || len(f.left) > 0:
	case f.rejection.text != "":
		l.notDelivered(f, now)
	default:
		if f.room.state == inside || f.room.target.IsNick {
			f.room.tries = 0
			f.room.fails(now, "")
		}
		l.queue().Done(f.Claim, nil)
		l.publish(func(s *LinkStatus) { s.Confirmed = now })
	}
}

// notDelivered ends a flight in which the server rejected something: the line is
// rejected, or retried after a backoff.
func (l *link) notDelivered(f *flight, now time.Time) {
	r := f.room
	if f.rejection.verdict == unclear {
		if r.unclearOf != f.Number {
			r.unclear, r.unclearOf = 0, f.Number
		}
		if r.unclear++; r.unclear >= maxUnclear {
			f.rejection = rejection{fmt.Sprintf("%s, %d times", f.rejection.text, maxUnclear), permanent}
		}
	}
	switch {
	case f.rejection.verdict == permanent:
		r.tries = 0
		if r.state == inside || r.target.IsNick {
			r.fails(now, "")
		}
		l.queue().Done(f.Claim, &notify.PermanentError{Err: errors.New(f.rejection.text)})
		l.log.Warn("a line is rejected", "target", r.target.String(), "reason", f.rejection.text)
	case f.rejection.verdict == alone, now.Before(r.retry): // in the latter case it is known why, and when to try again
		l.giveBack(f)
	default:
		l.giveBack(f)
		r.block(now, f.rejection.text)
		l.log.Warn("not told yet", "target", r.target.String(), "reason", f.rejection.text, "again", r.retry.Sub(now).String())
	}
}

// overdue looks for what should have been confirmed. A server that answers a
// PING behind a message has done with that, and keeps what became of it to
// itself.
func (l *link) overdue(now time.Time) error {
	if len(l.wires) == 0 || now.Sub(l.wires[0].at) < l.patience() {
		return nil
	}
	w := l.wires[0]
	switch {
	case !l.labels:
		return fmt.Errorf("the server did not confirm within %s", answerTime)
	case !l.pinged.IsZero():
		return nil // it has its own time to be answered
	case !w.isAsked:
		w.isAsked = true
		return l.keepAlive(now)
	}
	l.resolve(w, rejection{text: fmt.Sprintf("the server did not confirm within %s", answerTime)})
	return nil
}

// patience is how long the oldest wire may stay unconfirmed. Without labels it
// may have to wait until a PING may be sent.
func (l *link) patience() time.Duration {
	if l.labels {
		return answerTime
	}
	return answerTime + pingAfter*l.pace.step
}

// nextOverdue returns how long until something is overdue.
func (l *link) nextOverdue(now time.Time) time.Duration {
	if len(l.wires) == 0 || !l.pinged.IsZero() {
		return idleTime
	}
	return max(0, l.wires[0].at.Add(l.patience()).Sub(now))
}
