package irc

import (
	"slices"
	"strings"
	"sync"
	"time"

	"vext/internal/backoff"
	"vext/internal/target"
)

// A room is a channel or a person that a link tells lines to. It belongs to
// the link's goroutine, or, while it waits for a link, to the network.
type room struct {
	target target.Target
	url    string // by which the outbox knows it

	state   roomState
	since   time.Time // of the state
	retry   time.Time // before which nothing is tried; zero for now
	tries   int       // that failed in a row
	problem string    // of the last try
	failing time.Time // since when there is a problem

	after   uint64  // the number of the line that was taken last
	current *flight // of which not all has been sent
	open    int     // wires on the wire
	isIdle  bool    // there was nothing to take
	isAway  bool    // lines may have waited for the network or the channel

	kicked  time.Time // when it was last
	errors  int       // about what is on the wire before the next PONG
	careful time.Time // until when each line is to be confirmed before the next
	isOut   bool      // we were thrown out before the first of these
	isVague bool      // one of these did not name the room

	rejection rejection // what these said
	unclear   int       // how often that was not clear of the same line
	unclearOf uint64    // its number

	full      []*link   // that have no place for it
	fullUntil time.Time // when they are asked again

	mu    sync.Mutex
	keys  []string // with which the channel was named, the one that works first
	isNew bool     // one of them, since the last attempt
	shown ChannelStatus
}

// roomState says whether lines can be told in a room.
type roomState int

const (
	outside roomState = iota
	joining
	inside
)

func newRoom(t target.Target, url string) *room {
	r := &room{target: t, url: url}
	r.setKey(t.Key)
	r.show()
	return r
}

// mostKeys bounds how many keys of a channel are tried.
const mostKeys = 5

// setKey notes with which key the channel was named. Whoever names it without
// one, or with another, does not take away what works.
func (r *room) setKey(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if key != "" && !slices.Contains(r.keys, key) && len(r.keys) < mostKeys {
		r.keys, r.isNew = append(r.keys, key), true
	}
}

// hasNewKey reports, once, whether there is a key that was not there when it was
// last asked for.
func (r *room) hasNewKey() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	isNew := r.isNew
	r.isNew = false
	return isNew
}

// firstKey returns the key to be tried, "" for none.
func (r *room) firstKey() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.keys) == 0 {
		return ""
	}
	return r.keys[0]
}

// nextKey puts the key behind the others that was wrong.
func (r *room) nextKey() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.keys) > 1 {
		r.keys = append(r.keys[1:], r.keys[0])
	}
}

// Pauses after which a room is tried again.
const (
	kickPause   = 10 * time.Second // once; who is kicked again within retryBackoff.Max waits that long
	carefulTime = 10 * time.Minute // after something was refused, or a mode changed
)

// retryBackoff is the backoff of a room.
var retryBackoff = backoff.Backoff{Min: 10 * time.Second, Max: time.Hour}

// block lets a room alone for a while that grows. One that is let alone already
// is not for longer: several lines can be refused at once.
func (r *room) block(now time.Time, problem string) {
	if now.Before(r.retry) {
		return
	}
	r.retry = now.Add(r.pause())
	r.fails(now, problem)
}

// pause returns how long to wait after another failure.
func (r *room) pause() time.Duration {
	r.tries++
	return retryBackoff.After(r.tries)
}

// fails notes a problem, and an empty one that there is none any more.
func (r *room) fails(now time.Time, problem string) {
	switch {
	case problem == "":
		r.failing = time.Time{}
	case r.failing.IsZero():
		r.failing = now
	}
	r.problem = problem
	r.show()
}

func (r *room) enter(state roomState, now time.Time) {
	if r.state != state {
		r.state, r.since = state, now
	}
	if state == inside {
		r.retry = time.Time{}
		r.fails(now, "")
	}
	r.show()
}

// leave is the loss of the connection.
func (r *room) leave(now time.Time) {
	r.state, r.since, r.retry = outside, now, time.Time{}
	r.current, r.open, r.after = nil, 0, 0
	r.forgive()
	r.isIdle, r.isAway = false, true
	r.show()
}

// forgive forgets the server's errors about messages in flight.
func (r *room) forgive() {
	r.errors, r.isOut, r.isVague, r.rejection = 0, false, false, rejection{}
}

// refused records an error about messages in flight.
func (r *room) refused(no rejection) {
	r.errors++
	r.rejection = r.rejection.and(no)
}

// show publishes the state for who asks.
func (r *room) show() {
	s := ChannelStatus{Target: r.target.String(), Name: r.target.Name, Since: r.since, Problem: r.problem, Failing: r.failing, Retry: r.retry}
	if len(r.full) > 0 {
		s.Retry = r.fullUntil
	}
	switch {
	case r.target.IsNick:
		s.State = "person"
	case r.state == inside:
		s.State = "joined"
	case r.state == joining:
		s.State = "joining"
	case r.problem != "":
		s.State = "refused"
	default:
		s.State = "waiting"
	}
	r.mu.Lock()
	r.shown = s
	r.mu.Unlock()
}

func (r *room) status() ChannelStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shown
}

// canTell reports whether a line may be told now.
func (r *room) canTell(now time.Time) bool {
	return (r.state == inside || r.target.IsNick) && !now.Before(r.retry)
}

// hasRoom reports whether the link can look after another channel, or a person.
func (l *link) hasRoom(t *target.Target) bool {
	if t.IsNick {
		return l.number == 0
	}
	limit := l.chanLimit[t.Name[0]]
	if l.limit > 0 && (limit == 0 || l.limit < limit) {
		limit = l.limit
	}
	return limit == 0 || l.channels(t.Name[0]) < limit
}

// channels counts the channels that begin with a character.
func (l *link) channels(prefix byte) (n int) {
	for _, r := range l.rooms {
		if !r.target.IsNick && r.target.Name[0] == prefix {
			n++
		}
	}
	return n
}

// mostJoins bounds the channels of one JOIN.
const mostJoins = 10

// join asks for the channels that we are not in, and for the wanted nick.
func (l *link) join(now time.Time) {
	var names []string
	flush := func() {
		if len(names) > 0 {
			l.control = append(l.control, "JOIN "+strings.Join(names, ","))
			names = nil
		}
	}
	for _, r := range l.rooms {
		switch {
		case r.target.IsNick:
		case r.state == joining && now.Sub(r.since) >= answerTime:
			r.state = outside
			r.block(now, "the server did not answer to JOIN")
		case r.state != outside || now.Before(r.retry):
		case l.isIn(r):
			r.enter(inside, now)
		default:
			r.enter(joining, now)
			if key := r.firstKey(); key != "" {
				l.control = append(l.control, "JOIN "+r.target.Name+" "+key)
			} else if names = append(names, r.target.Name); len(names) == mostJoins {
				flush()
			}
		}
	}
	flush()
	if wanted := l.settings.nick(l.number, l.nickMost()); !strings.HasPrefix(wanted, l.nick) && now.Sub(l.nickTried) >= regainTime {
		l.nickTried = now
		l.control = append(l.control, "NICK "+wanted)
	}
}

// nextRetry returns how long until a room or the nick is to be tried again.
func (l *link) nextRetry(now time.Time) time.Duration {
	next := regainTime
	for _, r := range l.rooms {
		if r.state == joining {
			next = min(next, r.since.Add(answerTime).Sub(now))
		}
		if !r.retry.IsZero() && r.retry.After(now) {
			next = min(next, r.retry.Sub(now))
		}
	}
	return max(next, 0)
}

// find returns the rooms of a name: more than one when the server takes for one
// what we have known as two.
func (l *link) find(name string) []*room {
	name = l.fold(name)
	var all []*room
	for _, r := range l.rooms {
		if l.fold(r.target.Name) == name {
			all = append(all, r)
		}
	}
	return all
}

// isIn reports whether we are in a channel under another of its names: the
// server would not answer to a JOIN.
func (l *link) isIn(r *room) bool {
	return slices.ContainsFunc(l.find(r.target.Name), func(other *room) bool { return other.state == inside })
}

// joinRefused is the server's answer to a JOIN that says no.
func (l *link) joinRefused(r *room, c *complaint) {
	now := l.client.Now()
	r.isAway = true
	r.state, r.since = outside, now
	if c.command == errTooManyChannels {
		// Another connection may have room.
		l.limit = max(1, l.channels(r.target.Name[0])-1)
		l.giveUp(r)
		l.network.release(r, l)
		return
	}
	if c.command == errBadKey {
		r.nextKey()
	}
	r.block(now, c.text)
	level := l.log.Warn
	if c.command == errBanned {
		level = l.log.Error
	}
	level("can't join", "channel", r.target.Name, "reason", r.problem, "again", r.retry.Sub(now).String())
}

// giveUp takes a room from the link, with what it had on the wire.
func (l *link) giveUp(r *room) {
	for _, f := range l.begun() {
		if f.room == r {
			l.giveBack(f)
		}
	}
	l.wires = slices.DeleteFunc(l.wires, func(w *wire) bool { return w.flight != nil && w.flight.room == r })
	l.rooms = slices.DeleteFunc(l.rooms, func(other *room) bool { return other == r })
	r.open = 0
	r.forgive()
}

// thrownOut is a KICK, or a PART that the server did for us.
func (l *link) thrownOut(r *room, what string) {
	now := l.client.Now()
	if r.isAway = true; r.errors == 0 {
		r.isOut = true
	}
	r.state, r.since = outside, now
	pause := kickPause
	if !r.kicked.IsZero() && now.Sub(r.kicked) < retryBackoff.Max {
		pause = retryBackoff.Max
	}
	r.kicked, r.retry = now, now.Add(pause)
	r.fails(now, what)
	l.log.Warn("thrown out", "channel", r.target.Name, "reason", what, "again", pause.String())
}
