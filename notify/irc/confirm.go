package irc

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lrstanley/girc"

	"vext/notify"
)

// confirmed handles an answer with a label, and reports whether e was one. Only the echo,
// or ACK, confirms. Of an answer of several lines all count, because a server can send
// several about one message.
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
		l.isOutside(w.line.recipient, e.Command)
		w.rejection = w.rejection.and(l.complaint(e).rejection)
	case e.Command == girc.NOTICE && l.isDropped(e):
		w.rejection = w.rejection.and(droppedBy(e))
	case e.Command != "ACK" && !(l.isMe(e) && (e.Command == girc.PRIVMSG || e.Command == girc.NOTICE)):
		isOver = false // RPL_AWAY and other information
	}
	if isOver {
		l.resolve(w, w.rejection)
	}
	return true
}

// labelled returns the message that e answers to, nil for none.
func (l *link) labelled(e *girc.Event) *sentMessage {
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
	i := slices.IndexFunc(l.sent, func(w *sentMessage) bool { return w.line != nil && w.token == token })
	if i < 0 {
		return nil
	}
	if e.Command == "BATCH" {
		if l.batches == nil {
			l.batches = map[string]*sentMessage{}
		}
		l.batches[e.Params[0][1:]] = l.sent[i]
		l.sent[i].isBatch = true
	}
	return l.sent[i]
}

// pong confirms the messages that were sent before the PING, because a server answers in
// order. It does not confirm those that the server has sent an error about. When there are
// fewer errors than messages to a recipient, the errors are about the last messages if we
// were kicked in between. Otherwise it is unknown which messages they are about. Then all
// are sent again, one by one, and only an error to a single message rejects it.
func (l *link) pong(token string) {
	end := slices.IndexFunc(l.sent, func(w *sentMessage) bool { return w.line == nil && w.token == token })
	if end < 0 {
		return
	}
	before := slices.Clone(l.sent[:end])
	l.answered(l.sent[end].number)
	l.sent = l.sent[end+1:]
	left, lines, all := map[*recipient]int{}, map[*recipient]int{}, map[*pendingLine]bool{}
	for _, w := range before {
		if w.line == nil {
			continue
		}
		left[w.line.recipient]++
		if !all[w.line] {
			lines[w.line.recipient]++
		}
		all[w.line] = true
	}
	for _, w := range before {
		if w.line == nil {
			continue
		}
		r, no := w.line.recipient, rejection{}
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
		l.recordResult(w, no)
	}
	for r := range left {
		r.forgive()
	}
}

// resolve ends a message in flight, confirmed or rejected, once: a server can answer
// late, or twice.
func (l *link) resolve(w *sentMessage, no rejection) {
	i := slices.Index(l.sent, w)
	if i < 0 {
		return
	}
	l.sent = slices.Delete(l.sent, i, i+1)
	l.recordResult(w, no)
}

// recordResult records what became of a message, and with the last one of a line, of the
// line.
func (l *link) recordResult(w *sentMessage, no rejection) {
	f, now := w.line, l.client.Now()
	f.open--
	f.recipient.open--
	if no.text != "" {
		f.rejection, f.left = f.rejection.and(no), nil
		if f.recipient.current == f {
			f.recipient.current = nil
		}
	}
	switch {
	case f.open > 0 || len(f.left) > 0:
	case f.rejection.text != "":
		l.notDelivered(f, now)
	default:
		if f.recipient.state == inside || f.recipient.target.IsPerson {
			f.recipient.tries = 0
			f.recipient.fails(now, "")
		}
		l.queue().Done(f.Claim, nil)
		l.publish(func(s *LinkStatus) { s.Confirmed = now })
	}
}

// notDelivered ends a line of which the server rejected a part: it bounces, or is retried
// after a backoff.
func (l *link) notDelivered(f *pendingLine, now time.Time) {
	r := f.recipient
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
		if r.state == inside || r.target.IsPerson {
			r.fails(now, "")
		}
		l.queue().Done(f.Claim, &notify.PermanentError{Err: errors.New(f.rejection.text)})
		l.log.Warn("a line bounced", "target", r.target.String(), "reason", f.rejection.text)
	case f.rejection.verdict == alone, now.Before(r.retry): // in the latter case the recipient is in backoff already
		l.release(f)
	default:
		l.release(f)
		r.block(now, f.rejection.text)
		l.log.Warn("not delivered yet", "target", r.target.String(), "reason", f.rejection.text, "again", r.retry.Sub(now).String())
	}
}

// overdue looks for messages that should have been confirmed. When a server has answered a
// PING behind a message, it will send nothing more about the message.
func (l *link) overdue(now time.Time) error {
	if len(l.sent) == 0 || now.Sub(l.sent[0].at) < l.patience() {
		return nil
	}
	w := l.sent[0]
	switch {
	case !l.labels:
		return fmt.Errorf("the server did not confirm within %s", answerTime)
	case !l.pinged.IsZero():
		return nil // it is watched by alive
	case !w.isAsked:
		w.isAsked = true
		return l.keepAlive(now)
	}
	l.resolve(w, rejection{text: fmt.Sprintf("the server did not confirm within %s", answerTime)})
	return nil
}

// patience is how long the oldest message may stay unconfirmed. Without labels that
// includes the time until the pace allows a PING.
func (l *link) patience() time.Duration {
	if l.labels {
		return answerTime
	}
	return answerTime + pingAfter*l.pace.Step
}

// nextOverdue returns how long until something is overdue.
func (l *link) nextOverdue(now time.Time) time.Duration {
	if len(l.sent) == 0 || !l.pinged.IsZero() {
		return idleTime
	}
	return max(0, l.sent[0].at.Add(l.patience()).Sub(now))
}
