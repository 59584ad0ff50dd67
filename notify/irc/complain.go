package irc

import (
	"regexp"
	"slices"
	"strings"

	"github.com/lrstanley/girc"
)

// Commands that we send, other than JOIN, to which a server may answer with an
// error that does not name the command.
const (
	askedNick     = "NICK"
	askedPart     = "PART"
	askedNickServ = "NickServ" // a PRIVMSG to it
)

// asks notes that a command is in flight. Its answer comes before the answer to
// the next PING that is sent.
func (l *link) asks(what string) {
	if l.asked == nil {
		l.asked = map[string]uint64{}
	}
	l.asked[what] = l.numbered
}

func (l *link) isAsked(what string) bool {
	_, is := l.asked[what]
	return is
}

// answered forgets the commands that were sent before the PING with this number.
func (l *link) answered(number uint64) {
	for what, at := range l.asked {
		if at < number {
			delete(l.asked, what)
		}
	}
}

// A complaint is a parsed error of a server.
type complaint struct {
	rejection
	command string // the numeric, or FAIL
	verb    string // the command that it names, "" for none
	rooms   []*room
	names   []string // its other parameters
}

// verbs are the commands that we send.
var verbs = []string{girc.PRIVMSG, girc.NOTICE, girc.JOIN, girc.PART, girc.NICK, girc.USER, girc.PASS, girc.PING, girc.PONG, girc.QUIT, girc.CAP, "AUTHENTICATE"}

func (l *link) complaint(e *girc.Event) *complaint {
	c, code, params := &complaint{command: e.Command}, e.Command, e.Params[1:]
	if e.Command == standardReply {
		if e.Params[0] != "*" {
			c.verb = e.Params[0]
		}
		if code = ""; len(params) > 0 {
			code, params = params[0], params[1:]
		}
	}
	c.rejection = answerTo(code, e.Last())
	for i, p := range params {
		switch rooms := l.find(p); {
		case len(rooms) > 0:
			c.rooms = append(c.rooms, rooms...)
		case slices.Contains(verbs, p):
			c.verb = p
		case i < len(params)-1: // the last is the text
			c.names = append(c.names, p)
		}
	}
	return c
}

// complained handles an error without a label. When the error can't be the
// answer to another command of ours, it is about messages: those to the channel
// or person that it names, or else all messages that the server can mean. A
// complaint too many repeats a line, one too few loses it.
func (l *link) complained(e *girc.Event) {
	c := l.complaint(e)
	switch {
	case c.verb != "" && c.verb != girc.PRIVMSG && c.verb != girc.NOTICE:
		delete(l.asked, c.verb)
		for _, r := range c.rooms {
			if r.state == joining {
				l.joinRefused(r, c)
			}
		}
	case l.isAsked(askedNick) && isAboutNick(c.command) && len(c.names) > 0:
		delete(l.asked, askedNick)
	case len(c.rooms) > 0:
		for _, r := range c.rooms {
			l.complainedOf(r, c)
		}
	case l.isAsked(askedPart) && slices.ContainsFunc(c.names, isChannel):
	case l.isAsked(askedNickServ) && slices.ContainsFunc(c.names, func(name string) bool { return l.fold(name) == l.fold(nickServ) }):
	default:
		l.complainedOfAny(c)
	}
}

// complainedOf handles an error about a room. It is the answer to a JOIN, or
// about the room's messages in flight, or possibly either.
func (l *link) complainedOf(r *room, c *complaint) {
	isOpen := r.open > 0 && !l.labels
	if r.state == joining && (!isOpen || isAboutJoin(c.command)) {
		l.joinRefused(r, c)
	}
	if !isOpen || r.open == 0 {
		return
	}
	r.refused(c.rejection)
	l.isOutside(r, c.command)
}

// complainedOfAny handles an error that does not say what it is about. Every
// message that the server can mean counts as not delivered.
func (l *link) complainedOfAny(c *complaint) {
	if l.labels {
		return // no message is confirmed by silence
	}
	isSure := len(l.asked) == 0 && !slices.ContainsFunc(l.rooms, func(r *room) bool { return r.state == joining })
	if c.verb != "" { // PRIVMSG or NOTICE
		isSure = !l.isAsked(askedNickServ)
	}
	no := c.rejection
	if !isSure {
		no.verdict = temporary
	}
	for _, r := range l.meant() {
		r.refused(no)
		r.isVague = true
	}
}

// meant returns the rooms of the messages that an error arriving now can be
// about. Messages that were sent after a PING are answered after its PONG.
func (l *link) meant() []*room {
	var all []*room
	for _, w := range l.wires {
		if w.flight == nil {
			break
		}
		if !slices.Contains(all, w.flight.room) {
			all = append(all, w.flight.room)
		}
	}
	return all
}

// dropped matches the NOTICE by which a server itself says that it did not
// deliver a message: it was throttled, not sent, or blocked.
var dropped = regexp.MustCompile(`(?i)throttled|flood|rate.?limit|too (fast|quickly|many messages)|slow down` +
	`|(\bnot|n't|\bcannot)( be| been)? (sen[dt]|deliver(ed)?|processed)\b` +
	`|\bmessages?\b.*\b` + undone + `|` + undone + `.*\bmessages?\b`)

const undone = `(dropped|blocked|rejected|discarded|refused|denied|ignored|filtered|suppressed)\b`

// isDropped reports whether e is such a NOTICE. One from a user, or to a channel,
// is not.
func (l *link) isDropped(e *girc.Event) bool {
	isServer := e.Source == nil || e.Source.Ident == "" && e.Source.Host == ""
	return isServer && len(e.Params) > 1 && slices.Contains([]string{l.fold(l.nick), "*", "auth"}, l.fold(e.Params[0])) && dropped.MatchString(e.Last())
}

// noticed handles a NOTICE. One by which the server says that a message was
// dropped counts as an error.
func (l *link) noticed(e *girc.Event) {
	if !l.isDropped(e) {
		return
	}
	c := &complaint{rejection: droppedBy(e), command: girc.NOTICE}
	for word := range strings.FieldsSeq(e.Last()) {
		c.rooms = append(c.rooms, l.find(strings.Trim(word, `.,:;"'()`))...)
	}
	if len(c.rooms) == 0 {
		l.complainedOfAny(c)
	}
	for _, r := range c.rooms {
		l.complainedOf(r, c)
	}
}

func droppedBy(e *girc.Event) rejection {
	return rejection{"the server did not deliver it (" + e.Last() + ")", unclear}
}

// isOutside records that we are not in a channel, when that is why the server rejected
// a message, whatever our own state says.
func (l *link) isOutside(r *room, command string) {
	switch command {
	case errNoSuchNick, errNoSuchChannel, errNotOnChannel:
		if !r.target.IsNick && r.state == inside {
			r.state, r.since = outside, l.client.Now()
		}
	}
}
