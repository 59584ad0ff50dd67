package irc

import (
	"slices"
	"strings"
	"sync"
	"time"

	"vext/internal/backoff"
	"vext/internal/target"
)

// A recipient is a channel or a person. It belongs to the goroutine of its link, or,
// while it has none, to the network.
type recipient struct {
	target target.Target
	url    string // in the outbox

	state   membership
	since   time.Time // of the state
	retry   time.Time // not before then; zero for now
	tries   int       // that failed in a row
	problem string    // of the last try
	failing time.Time // since when there is a problem

	after   uint64       // the number of the line that was claimed last
	current *pendingLine // of which not all has been sent
	open    int          // messages in flight
	isIdle  bool         // there was nothing to claim
	isAway  bool         // the network or the channel may have been unavailable

	kicked  time.Time // when we were last
	errors  int       // about messages in flight, before the next PONG
	careful time.Time // until then each line is confirmed before the next is sent
	isOut   bool      // we were kicked before the first of these
	isVague bool      // one of these did not name the recipient

	rejection rejection // by these
	unclear   int       // unclear rejections in a row of the same line
	unclearOf uint64    // its number

	full []*link // that had no capacity for it; until retry, others are tried

	mu        sync.Mutex
	keys      []string // of the channel, the one that is tried first
	isWoken   bool     // there may be something to claim
	hasNewKey bool
	shown     ChannelStatus
}

// A membership says whether we are in a channel.
type membership int

const (
	outside membership = iota
	joining
	inside
)

func newRecipient(t target.Target, url string) *recipient {
	r := &recipient{target: t, url: url}
	r.wake(t.Key)
	r.show()
	return r
}

// maxKeys bounds how many keys of a channel are tried.
const maxKeys = 5

// wake says that there may be something to claim, and adds a key of the channel. The keys
// that were known stay: one of them may be the right one.
func (r *recipient) wake(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.isWoken = true
	if key != "" && !slices.Contains(r.keys, key) && len(r.keys) < maxKeys {
		r.keys, r.hasNewKey = append(r.keys, key), true
	}
}

// takeWakeup returns what wake has said since the last call.
func (r *recipient) takeWakeup() (isWoken, hasNewKey bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	isWoken, hasNewKey = r.isWoken, r.hasNewKey
	r.isWoken, r.hasNewKey = false, false
	return isWoken, hasNewKey
}

// firstKey returns the key to be tried, "" for none.
func (r *recipient) firstKey() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.keys) == 0 {
		return ""
	}
	return r.keys[0]
}

// nextKey puts the first key, which was wrong, behind the others.
func (r *recipient) nextKey() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.keys) > 1 {
		r.keys = append(r.keys[1:], r.keys[0])
	}
}

// Pauses after which a recipient is retried.
const (
	kickPause   = 10 * time.Second // after a kick; after another within retryBackoff.Max, that
	carefulTime = 10 * time.Minute // after a rejection, or a change of modes
)

// retryBackoff is the backoff of a recipient.
var retryBackoff = backoff.Backoff{Min: 10 * time.Second, Max: time.Hour}

// block puts a recipient into backoff. It does not extend a backoff, because several lines
// can be rejected at once.
func (r *recipient) block(now time.Time, problem string) {
	if now.Before(r.retry) {
		return
	}
	r.tries++
	r.retry = now.Add(retryBackoff.After(r.tries))
	r.fails(now, problem)
}

// fails records a problem, or with an empty one, that there is none any more.
func (r *recipient) fails(now time.Time, problem string) {
	switch {
	case problem == "":
		r.failing = time.Time{}
	case r.failing.IsZero():
		r.failing = now
	}
	r.problem = problem
	r.show()
}

func (r *recipient) enter(state membership, now time.Time) {
	if r.state != state {
		r.state, r.since = state, now
	}
	if state == inside {
		r.retry = time.Time{}
		r.fails(now, "")
	}
	r.show()
}

// leave resets the state when the connection is lost.
func (r *recipient) leave(now time.Time) {
	r.state, r.since, r.retry = outside, now, time.Time{}
	r.current, r.open, r.after = nil, 0, 0
	r.forgive()
	r.isIdle, r.isAway = false, true
	r.show()
}

// forgive forgets the server's errors about messages in flight.
func (r *recipient) forgive() {
	r.errors, r.isOut, r.isVague, r.rejection = 0, false, false, rejection{}
}

// addRejection records an error about messages in flight.
func (r *recipient) addRejection(no rejection) {
	r.errors++
	r.rejection = r.rejection.and(no)
}

// show publishes the state.
func (r *recipient) show() {
	s := ChannelStatus{Target: r.target.String(), Name: r.target.Name, Since: r.since, Problem: r.problem, Failing: r.failing, Retry: r.retry}
	switch {
	case r.target.IsPerson:
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

func (r *recipient) status() ChannelStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shown
}

// canSend reports whether a line may be sent now.
func (r *recipient) canSend(now time.Time) bool {
	return (r.state == inside || r.target.IsPerson) && !now.Before(r.retry)
}

// hasCapacity reports whether the link can take another channel, or a person.
func (l *link) hasCapacity(t *target.Target) bool {
	if t.IsPerson {
		return l.number == 0
	}
	n, limit := l.channels(t.Name[0]), l.chanLimit[t.Name[0]]
	if n >= l.full && l.client.Now().Before(l.fullUntil) {
		return false
	}
	return limit == 0 || n < limit
}

// channels counts the channels that begin with a character.
func (l *link) channels(prefix byte) (n int) {
	for _, r := range l.recipients {
		if !r.target.IsPerson && r.target.Name[0] == prefix {
			n++
		}
	}
	return n
}

// maxJoins bounds the channels of one JOIN.
const maxJoins = 10

// join joins the channels that we are not in, and tries to get the wanted nick.
func (l *link) join(now time.Time) {
	var names []string
	flush := func() {
		if len(names) > 0 {
			l.control = append(l.control, "JOIN "+strings.Join(names, ","))
			names = nil
		}
	}
	for _, r := range l.recipients {
		switch {
		case r.target.IsPerson:
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
			} else if names = append(names, r.target.Name); len(names) == maxJoins {
				flush()
			}
		}
	}
	flush()
	if wanted := l.settings.nick(l.number, l.maxNickLen()); !strings.HasPrefix(wanted, l.nick) && now.Sub(l.nickTried) >= regainTime {
		l.nickTried = now
		l.control = append(l.control, "NICK "+wanted)
	}
}

// nextRetry returns how long until a recipient or the nick is to be retried.
func (l *link) nextRetry(now time.Time) time.Duration {
	next := regainTime
	for _, r := range l.recipients {
		if r.state == joining {
			next = min(next, r.since.Add(answerTime).Sub(now))
		}
		if !r.retry.IsZero() && r.retry.After(now) {
			next = min(next, r.retry.Sub(now))
		}
	}
	return max(next, 0)
}

// find returns the recipients of a name: more than one when the server takes two names for
// the same.
func (l *link) find(name string) []*recipient {
	name = l.fold(name)
	var all []*recipient
	for _, r := range l.recipients {
		if l.fold(r.target.Name) == name {
			all = append(all, r)
		}
	}
	return all
}

// isIn reports whether we are in a channel under another of its names: the
// server would not answer to a JOIN.
func (l *link) isIn(r *recipient) bool {
	return slices.ContainsFunc(l.find(r.target.Name), func(other *recipient) bool { return other.state == inside })
}

// joinRejected handles an error in answer to a JOIN.
func (l *link) joinRejected(r *recipient, c *complaint) {
	now := l.client.Now()
	r.isAway = true
	r.state, r.since = outside, now
	if c.command == errTooManyChannels {
		// Another connection may have capacity.
		r.block(now, c.text)
		l.full = max(1, l.channels(r.target.Name[0])-1)
		if !now.Before(l.fullUntil) || r.retry.Before(l.fullUntil) { // the first that is retried
			l.fullUntil = r.retry
		}
		r.full = append(r.full, l)
		l.removeRecipient(r)
		l.network.release(r)
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

// removeRecipient removes a recipient from the link, with what it has in flight.
func (l *link) removeRecipient(r *recipient) {
	for _, f := range l.begun() {
		if f.recipient == r {
			l.release(f)
		}
	}
	l.sent = slices.DeleteFunc(l.sent, func(w *sentMessage) bool { return w.line != nil && w.line.recipient == r })
	l.recipients = slices.DeleteFunc(l.recipients, func(other *recipient) bool { return other == r })
	r.open = 0
	r.forgive()
}

// kickedOut handles a KICK, or a PART that the server did for us.
func (l *link) kickedOut(r *recipient, what string) {
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
	l.log.Warn("kicked out", "channel", r.target.Name, "reason", what, "again", pause.String())
}
