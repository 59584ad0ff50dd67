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
	awaitNick     = "NICK"
	awaitPart     = "PART"
	awaitNickServ = "NickServ" // a PRIVMSG to it
)

// await records that a command was sent. Its answer comes before the answer to
// the next PING that is sent.
func (l *link) await(what string) {
	if l.awaited == nil {
		l.awaited = map[string]uint64{}
	}
	l.awaited[what] = l.numbered
}

func (l *link) isAwaited(what string) bool {
	_, is := l.awaited[what]
	return is
}

// answered forgets the commands that were sent before the PING with this number.
func (l *link) answered(number uint64) {
	for what, at := range l.awaited {
		if at < number {
			delete(l.awaited, what)
		}
	}
}

// A complaint is a parsed error of a server.
type complaint struct {
	rejection
	command    string // the numeric, or FAIL
	verb       string // the command that it names, "" for none
	recipients []*recipient
	names      []string // its other parameters
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
		switch found := l.find(p); {
		case len(found) > 0:
			c.recipients = append(c.recipients, found...)
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
// or person that it names, or else all messages that the server can mean. In doubt
// the error counts: that repeats a line at worst, while ignoring it could lose the line.
func (l *link) complained(e *girc.Event) {
	c := l.complaint(e)
	switch {
	case c.verb != "" && c.verb != girc.PRIVMSG && c.verb != girc.NOTICE:
		delete(l.awaited, c.verb)
		for _, r := range c.recipients {
			if r.state == joining {
				l.joinRejected(r, c)
			}
		}
	case l.isAwaited(awaitNick) && slices.Contains(nickErrors, c.command) && len(c.names) > 0:
		delete(l.awaited, awaitNick)
	case len(c.recipients) > 0:
		for _, r := range c.recipients {
			l.complainedOf(r, c)
		}
	case l.isAwaited(awaitPart) && slices.ContainsFunc(c.names, isChannel):
	case l.isAwaited(awaitNickServ) && slices.ContainsFunc(c.names, func(name string) bool { return l.fold(name) == l.fold(nickServ) }):
	default:
		l.complainedOfAny(c)
	}
}

// complainedOf handles an error about a recipient. It is the answer to a JOIN, or about
// the messages in flight to the recipient, or possibly either.
func (l *link) complainedOf(r *recipient, c *complaint) {
	isOpen := r.open > 0 && !l.labels
	if r.state == joining && (!isOpen || slices.Contains(joinErrors, c.command)) {
		l.joinRejected(r, c)
	}
	if !isOpen || r.open == 0 {
		return
	}
	r.addRejection(c.rejection)
	l.isOutside(r, c.command)
}

// complainedOfAny handles an error that does not say what it is about. Every
// message that the server can mean counts as not delivered.
func (l *link) complainedOfAny(c *complaint) {
	if l.labels {
		return // no message is confirmed by silence
	}
	isSure := len(l.awaited) == 0 && !slices.ContainsFunc(l.recipients, func(r *recipient) bool { return r.state == joining })
	if c.verb != "" { // PRIVMSG or NOTICE
		isSure = !l.isAwaited(awaitNickServ)
	}
	no := c.rejection
	if !isSure {
		no.verdict = temporary
	}
	for _, r := range l.meant() {
		r.addRejection(no)
		r.isVague = true
	}
}

// meant returns the recipients of the messages that an error arriving now can be
// about. Messages that were sent after a PING are answered after its PONG.
func (l *link) meant() []*recipient {
	var all []*recipient
	for _, w := range l.sent {
		if w.line == nil {
			break
		}
		if !slices.Contains(all, w.line.recipient) {
			all = append(all, w.line.recipient)
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
		c.recipients = append(c.recipients, l.find(strings.Trim(word, `.,:;"'()`))...)
	}
	if len(c.recipients) == 0 {
		l.complainedOfAny(c)
	}
	for _, r := range c.recipients {
		l.complainedOf(r, c)
	}
}

func droppedBy(e *girc.Event) rejection {
	return rejection{"the server did not deliver it (" + e.Last() + ")", unclear}
}

// isOutside records that we are not in a channel, when that is why the server rejected
// a message, whatever our own state says.
func (l *link) isOutside(r *recipient, command string) {
	switch command {
	case errNoSuchNick, errNoSuchChannel, errNotOnChannel:
		if !r.target.IsPerson && r.state == inside {
			r.state, r.since = outside, l.client.Now()
		}
	}
}
