package irc

import (
	"fmt"
	"slices"
	"time"

	"github.com/lrstanley/girc"
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
	case isError(e.Command):
		l.isOutside(w.flight.room, e.Command)
		w.refused = refusal(e.Command, e.Last())
	case e.Command != girc.PRIVMSG && e.Command != girc.NOTICE && e.Command != "ACK":
		isOver = false // RPL_AWAY, and what else is good to know
	}
	if isOver {
		l.resolve(w, w.refused)
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

// isError reports whether a command says that something was not done: the
// numerics of errors, "try again", "is in +g mode", and FAIL of IRCv3.
func isError(command string) bool {
	return len(command) == 3 && (command[0] == '4' || command[0] == '5') || command == "263" || command == "716" || command == "FAIL"
}

// pong confirms what was sent before the PING, but for what the server has
// complained of meanwhile: a server answers in the order in which it was asked.
// Where it has complained of some messages to a room, and not of all, they were
// the last of them if we were thrown out before. Else nobody can say which they
// were, and all of them are told again, one by one.
func (l *link) pong(token string) {
	end := slices.IndexFunc(l.wires, func(w *wire) bool { return w.flight == nil && w.token == token })
	if end < 0 {
		return
	}
	before := slices.Clone(l.wires[:end])
	l.wires = l.wires[end+1:]
	left := map[*room]int{}
	for _, w := range before {
		if w.flight != nil {
			left[w.flight.room]++
		}
	}
	for _, w := range before {
		if w.flight == nil {
			continue
		}
		r, refused := w.flight.room, ""
		if r.errors > 0 && (!r.isOut || left[r] <= r.errors) {
			refused = r.refused
			r.careful = l.client.Now().Add(carefulTime)
		}
		left[r]--
		l.settle(w, refused)
	}
	for r := range left {
		r.errors, r.isOut = 0, false
	}
}

// resolve takes a wire off, confirmed or refused, once: a server can answer late,
// or twice.
func (l *link) resolve(w *wire, refused string) {
	i := slices.Index(l.wires, w)
	if i < 0 {
		return
	}
	l.wires = slices.Delete(l.wires, i, i+1)
	l.settle(w, refused)
}

// settle records what became of a wire, and with the last one of its flight.
func (l *link) settle(w *wire, refused string) {
	f, now := w.flight, l.client.Now()
	f.open--
	f.room.open--
	if refused != "" {
		f.refused, f.left = refused, nil
		if f.room.current == f {
			f.room.current = nil
		}
	}
	switch {
	case f.open > 0 || len(f.left) > 0:
	case f.refused != "" && now.Before(f.room.retry): // it is known why, and when to try again
		l.giveBack(f)
	case f.refused != "":
		l.giveBack(f)
		f.room.block(now, f.refused)
		l.log.Warn("not told yet", "target", f.room.target.String(), "reason", f.refused, "again", f.room.retry.Sub(now).String())
	default:
		if f.room.state == inside || f.room.target.IsNick {
			f.room.tries = 0
			f.room.fails(now, "")
		}
		l.client.outbox.tell(place{f.room.url, f.number}, now)
		l.publish(func(s *LinkStatus) { s.Confirmed = now })
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
		w.isAsked, l.pinged = true, now
		return l.write("PING :" + keepalive)
	}
	l.resolve(w, fmt.Sprintf("the server did not confirm within %s", answerTime))
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
