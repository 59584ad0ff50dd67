package irc

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lrstanley/girc"

	"vext/notify"
)

// flights are the messages that were sent, and not confirmed yet.
type flights struct {
	wires    []*wire          // in the order of sending, with the PINGs among them
	numbered uint64           // of labels and PINGs
	unpinged int              // wires behind the last PING
	batches  map[string]*wire // answers of several lines, by their reference

	asked        map[string]uint64 // commands on their way, with the number of the PING before them
	pingedNumber uint64            // of the PING that asks whether the server is there
}

// A flight is a line of the outbox on its way: several wires when it is long.
type flight struct {
	*notify.Claim
	room *room
	left []string // not sent yet
	open int      // sent, and neither confirmed nor refused

	rejection rejection // of one of them
}

// A wire is one message that was sent, or, without a flight, the PING that
// confirms those before it.
type wire struct {
	flight *flight
	token  string // the label, or the PING's
	number uint64 // of the token
	at     time.Time

	isBatch bool // the answer has several lines
	isAsked bool // a PING went out behind it, because no answer came

	rejection rejection // that one of them said
}

// How much may be unconfirmed. A PING is a line like any other to a server
// that counts them, so it waits until several messages want one, or nothing
// else does.
const (
	window    = 64
	pingAfter = 16
)

// send sends all that may go out now, and returns how long until more may. Who
// is leaving only ends what was begun.
func (l *link) send(now time.Time, leaving bool) (time.Duration, error) {
	for {
		if wait := l.pace.wait(now); wait > 0 {
			return wait, nil
		}
		r := l.next(now, leaving)
		mayTell := r != nil && len(l.wires) < window
		var err error
		switch {
		case len(l.control) > 0 && !leaving:
			if what, _, _ := strings.Cut(l.control[0], " "); what != girc.JOIN {
				l.asks(what)
			}
			err = l.write(l.control[0])
			l.control = l.control[1:]
		case l.unpinged >= pingAfter, l.unpinged > 0 && !mayTell:
			err = l.ask(now)
		case mayTell:
			err = l.tell(r, now)
		default:
			return regainTime, nil
		}
		if err != nil {
			return 0, err
		}
		l.pace.spend(now)
	}
}

// next returns the room whose turn it is, with something to send in its
// current, nil for none.
func (l *link) next(now time.Time, leaving bool) *room {
	for i := range l.rooms {
		at := (l.turn + i) % len(l.rooms)
		r := l.rooms[at]
		if r.current == nil && (leaving || r.isIdle || !r.canTell(now) || !l.load(r, now)) {
			continue
		}
		l.turn = at
		return r
	}
	return nil
}

// load takes a room's next line from the outbox, and reports whether there is
// one. A person is told one at a time, for it can't be seen when he leaves; and
// so is a room of which it could not be said which of several was refused. Where
// it could not even be said in which room, one room waits for the other.
func (l *link) load(r *room, now time.Time) bool {
	if r.open == 0 { // what was said before this is about nothing that can be on the wire
		r.forgive()
	}
	if now.Before(l.careful) && len(l.begun()) > 0 {
		return false
	}
	if r.open > 0 && (r.target.IsNick || !l.labels && (now.Before(r.careful) || r.errors > 0 || r.isOut)) {
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
	f := &flight{Claim: claim, room: r}
	text := claim.Text
	if l.settings.NoColors || claim.Summary {
		text = plain(text)
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

// claim claims the next message for a room, after it has summarized those that are too
// old.
func (l *link) claim(r *room, now time.Time) (*notify.Claim, error) {
	q, s := l.queue(), &l.settings
	if r.isAway {
		r.isAway = false
		b, err := q.Backlog(r.url)
		if err == nil && s.BacklogLines > 0 && b.Count > s.BacklogLines {
			err = l.summarize(r)
		}
		if err != nil {
			return nil, err
		}
	}
	c, err := q.Next(r.url, r.after)
	if err != nil || c == nil || c.Reminder || s.BacklogAge == 0 || now.Sub(c.Accepted) <= s.BacklogAge {
		return c, err
	}
	b, err := q.Backlog(r.url)
	if err != nil || b.Count < 2 || r.open > 0 {
		return c, err
	}
	q.Done(c, errNotSent)
	if err := l.summarize(r); err != nil {
		return nil, err
	}
	return q.Next(r.url, r.after)
}

func (l *link) queue() notify.Queue { return l.client.queue }

// errNotSent is the error of messages that have not been sent, or may not have arrived.
var errNotSent = errors.New("not confirmed")

func (l *link) summarize(r *room) error {
	l.log.Info("a backlog is summarized", "target", r.target.String())
	return l.queue().Summarize(l.client.context(), r.url)
}

// capacity returns how many bytes of text one message to r can have, so that it
// is whole at who reads it: the server puts our prefix before it, and cuts at
// 512 bytes with the line end (RFC 2812, section 2.3). The host may be shown
// in another way later, so there is always room for the longest.
func (l *link) capacity(r *room) int {
	const longestHost, longestUser = 63, 11
	line := 512
	if l.lineLen > 0 {
		line = l.lineLen
	}
	prefix := len(":!@ ") + len(l.nick) + max(len(l.user), longestUser) + max(len(l.host), longestHost)
	return max(leastText, line-len("\r\n")-prefix-len(l.command(r))-len(" :"))
}

// leastText is what a message can have of text whatever a server says of itself.
const leastText = 50

func (l *link) command(r *room) string {
	if l.settings.Notice {
		return "NOTICE " + r.target.Name
	}
	return "PRIVMSG " + r.target.Name
}

// tell sends the next wire of a room's current flight.
func (l *link) tell(r *room, now time.Time) error {
	f := r.current
	line := l.command(r) + " :" + f.left[0]
	w := &wire{flight: f, at: now}
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
	l.wires = append(l.wires, w)
	return l.write(line)
}

// ask sends the PING whose answer confirms what was sent before it.
func (l *link) ask(now time.Time) error {
	w := &wire{token: l.token(), number: l.numbered, at: now}
	l.unpinged = 0
	l.wires = append(l.wires, w)
	return l.write("PING :" + w.token)
}

func (l *link) token() string {
	l.numbered++
	return "vext" + strconv.FormatUint(l.numbered, 36)
}

// begun returns the flights of which something was begun.
func (l *link) begun() []*flight {
	var all []*flight
	add := func(f *flight) {
		if f != nil && !slices.Contains(all, f) {
			all = append(all, f)
		}
	}
	for _, w := range l.wires {
		add(w.flight)
	}
	for _, r := range l.rooms {
		add(r.current)
	}
	return all
}

// giveBack lets a room's line be sent again, and those that come after it.
func (l *link) giveBack(f *flight) {
	l.queue().Done(f.Claim, errNotSent)
	f.room.after, f.room.isIdle = 0, false
	if f.room.current == f {
		f.room.current = nil
	}
}
