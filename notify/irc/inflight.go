package irc

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lrstanley/girc"

	"vext/notify"
)

// An inflight is the state of messages that were sent and are not confirmed yet.
type inflight struct {
	sent     []*sentMessage          // in the order of sending, with the PINGs among them
	numbered uint64                  // of labels and PINGs
	unpinged int                     // messages behind the last PING
	batches  map[string]*sentMessage // answers of several lines, by their reference

	awaited      map[string]uint64 // commands without an answer, with the number of the PING before them
	pingedNumber uint64            // of the last keepalive
}

// A pendingLine is a message of the outbox on its way: several messages of IRC when it is
// long.
type pendingLine struct {
	*notify.Claim
	recipient *recipient
	left      []string // not sent yet
	open      int      // sent, and neither confirmed nor rejected

	rejection rejection // of one of them
}

// A sentMessage is one message of IRC that was sent, or, without a line, the PING that
// confirms those before it.
type sentMessage struct {
	line   *pendingLine
	token  string // the label, or the PING's
	number uint64 // of the token
	at     time.Time

	isBatch bool // the answer has several lines
	isAsked bool // a PING was sent behind it, because no answer came

	rejection rejection // by one of these
}

// How many messages may be unconfirmed. A server that limits the rate counts a PING as a
// message, so one is sent only when it confirms several, or when nothing else is to be
// sent.
const (
	maxInFlight = 64
	pingAfter   = 16
)

// send sends all that may be sent now, and returns how long until more may be. A link
// that is leaving only ends the lines that it has begun.
func (l *link) send(now time.Time, leaving bool) (time.Duration, error) {
	for {
		if wait := l.pace.Wait(now); wait > 0 {
			return wait, nil
		}
		r := l.next(now, leaving)
		mayTell := r != nil && len(l.sent) < maxInFlight
		var err error
		switch {
		case len(l.control) > 0 && !leaving:
			if what, _, _ := strings.Cut(l.control[0], " "); what != girc.JOIN {
				l.await(what)
			}
			err = l.write(l.control[0])
			l.control = l.control[1:]
		case l.unpinged >= pingAfter, l.unpinged > 0 && !mayTell:
			err = l.sendPing(now)
		case mayTell:
			err = l.sendNext(r, now)
		default:
			return regainTime, nil
		}
		if err != nil {
			return 0, err
		}
		l.pace.Spend(now)
	}
}

// next returns the recipient whose turn it is, with something to send in its current
// line; nil for none.
func (l *link) next(now time.Time, leaving bool) *recipient {
	for i := range l.recipients {
		at := (l.turn + i) % len(l.recipients)
		r := l.recipients[at]
		if r.current == nil && (leaving || r.isIdle || !r.canSend(now) || !l.load(r, now)) {
			continue
		}
		l.turn = at
		return r
	}
	return nil
}

// load claims a recipient's next line, and reports whether there is one. A person gets one
// line at a time, because vext can't see when the person leaves. After an error that was
// about one of several lines, the recipient gets one line at a time as well. After an error
// that did not name the recipient, the connection has only one line in flight.
func (l *link) load(r *recipient, now time.Time) bool {
	if r.open == 0 { // earlier errors are about nothing that is in flight
		r.forgive()
	}
	if now.Before(l.careful) && len(l.begun()) > 0 {
		return false
	}
	if r.open > 0 && (r.target.IsPerson || !l.labels && (now.Before(r.careful) || r.errors > 0 || r.isOut)) {
		return false
	}
	claim, err := l.claim(r, now)
	if err != nil {
		r.block(now, err.Error())
		l.log.Error("the outbox can't be read", "err", err)
		return false
	}
	if claim == nil {
		r.isIdle = true
		return false
	}
	f := &pendingLine{Claim: claim, recipient: r}
	text := claim.Text
	if l.settings.NoColors || claim.Summary {
		text = notify.Plain(text)
	}
	if claim.Summary {
		text = shorten(text, l.capacity(r))
	}
	for line := range strings.SplitSeq(text, "\n") {
		f.left = append(f.left, split(line, l.capacity(r))...)
	}
	if len(f.left) == 0 {
		l.queue().Done(claim, nil)
		return l.load(r, now)
	}
	r.current, r.after = f, claim.Number
	return true
}

// claim claims the next message for a recipient.
func (l *link) claim(r *recipient, now time.Time) (*notify.Claim, error) {
	c := notify.Claimer{
		Queue: l.queue(), URL: r.url, Target: &r.target, Log: l.log,
		MaxCount: l.settings.BacklogLines, MaxAge: l.settings.BacklogAge,
		InFlight: func(*notify.Claim) bool { return r.open > 0 },
	}
	isAway := r.isAway
	r.isAway = false
	return c.Next(r.after, now, isAway)
}

func (l *link) queue() notify.Queue { return l.client.queue }

// capacity returns how many bytes of text one message to r can have, so that its readers
// get all of it: the server puts our prefix before it, and cuts at 512 bytes with the
// line end (RFC 2812, section 2.3). The server may change our host later, so the longest
// is assumed.
func (l *link) capacity(r *recipient) int {
	const maxHost, maxUser = 63, 11
	line := 512
	if l.lineLen > 0 {
		line = l.lineLen
	}
	prefix := len(":!@ ") + len(l.nick) + max(len(l.user), maxUser) + max(len(l.host), maxHost)
	return max(minText, line-len("\r\n")-prefix-len(l.command(r))-len(" :"))
}

// minText is how many bytes of text a message has, whatever a server announces.
const minText = 50

func (l *link) command(r *recipient) string {
	if l.settings.Notice {
		return "NOTICE " + r.target.Name
	}
	return "PRIVMSG " + r.target.Name
}

// sendNext sends the next message of a recipient's current line.
func (l *link) sendNext(r *recipient, now time.Time) error {
	f := r.current
	line := l.command(r) + " :" + f.left[0]
	w := &sentMessage{line: f, at: now}
	if l.labels {
		w.token = l.token()
		line = "@label=" + w.token + " " + line
	} else {
		l.unpinged++
	}
	if f.left = f.left[1:]; len(f.left) == 0 {
		r.current = nil
		l.turn++
	}
	f.open++
	r.open++
	l.sent = append(l.sent, w)
	return l.write(line)
}

// sendPing sends the PING whose answer confirms what was sent before it.
func (l *link) sendPing(now time.Time) error {
	w := &sentMessage{token: l.token(), number: l.numbered, at: now}
	l.unpinged = 0
	l.sent = append(l.sent, w)
	return l.write("PING :" + w.token)
}

func (l *link) token() string {
	l.numbered++
	return "vext" + strconv.FormatUint(l.numbered, 36)
}

// begun returns the lines that are in flight or partly sent.
func (l *link) begun() []*pendingLine {
	var all []*pendingLine
	add := func(f *pendingLine) {
		if f != nil && !slices.Contains(all, f) {
			all = append(all, f)
		}
	}
	for _, w := range l.sent {
		add(w.line)
	}
	for _, r := range l.recipients {
		add(r.current)
	}
	return all
}

// release makes a line pending again, so that it and those behind it are sent again.
func (l *link) release(f *pendingLine) {
	l.queue().Done(f.Claim, notify.ErrNotSent)
	f.recipient.after, f.recipient.isIdle = 0, false
	if f.recipient.current == f {
		f.recipient.current = nil
	}
}
