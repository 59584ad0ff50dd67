package irc

import (
	"strings"
	"time"

	"github.com/lrstanley/girc"
)

// handle handles what the server has sent. An error ends the connection.
func (l *link) handle(e *girc.Event) error {
	if about, err := l.negotiate(e); about || err != nil {
		return err
	}
	if l.confirmed(e) {
		return nil
	}
	switch e.Command {
	case girc.PING:
		return l.write("PONG :" + e.Last())
	case girc.PONG:
		if l.pinged = (time.Time{}); e.Last() == keepalive {
			l.answered(l.pingedNumber)
		}
		l.pong(e.Last())
	case girc.ERROR:
		return &serverError{"the server closed the connection", e.Last()}
	case girc.JOIN:
		l.joined(e)
	case girc.PART, girc.KICK:
		l.left(e)
	case girc.NICK, girc.QUIT:
		l.renamed(e)
	case girc.MODE:
		l.modeChanged(e)
	case girc.INVITE:
		l.retryNow(e.Last())
	case girc.NOTICE:
		if e.Source != nil && strings.EqualFold(e.Source.Name, nickServ) && !l.nickServ {
			l.log.Info("answer of NickServ", "text", e.Last())
			l.nickServ = true
			delete(l.awaited, awaitNickServ)
		}
		l.noticed(e)
	default:
		if isError(e.Command) && len(e.Params) > 0 {
			l.complained(e)
		}
	}
	return nil
}

// ready ends the registration: from now on channels are joined and lines sent.
func (l *link) ready(now time.Time) {
	l.isReady = true
	confirmedBy := "PING"
	if l.labels {
		confirmedBy = "labels"
	}
	l.log.Info("connected", "nick", l.nick, "confirmed_by", confirmedBy)
	l.publish(func(s *LinkStatus) {
		s.State, s.Since, s.Nick, s.ConfirmedBy, s.Error = "connected", now, l.nick, confirmedBy, ""
	})
}

// joined handles a JOIN: ours confirms that we are in, and shows our user and host.
func (l *link) joined(e *girc.Event) {
	if e.Source == nil || len(e.Params) == 0 {
		return
	}
	if !l.isMe(e) {
		l.retryNow(e.Source.Name)
		return
	}
	l.user, l.host = e.Source.Ident, e.Source.Host
	all := l.find(e.Params[0])
	if len(all) == 0 { // another channel forwards to it
		if len(l.control) < maxParts {
			l.control = append(l.control, "PART "+e.Params[0])
		}
		return
	}
	for _, r := range all {
		r.isIdle = false
		r.enter(inside, l.client.Now())
		l.log.Info("joined", "channel", r.target.Name)
	}
}

// maxParts bounds the PARTs for channels that we did not ask for.
const maxParts = 10

// left handles a PART or a KICK of us. Those of others do not matter.
func (l *link) left(e *girc.Event) {
	if len(e.Params) == 0 {
		return
	}
	what := ""
	switch {
	case e.Command == girc.PART && l.isMe(e):
		what = "made to leave the channel"
	case e.Command == girc.KICK && len(e.Params) > 1 && l.fold(e.Params[1]) == l.fold(l.nick):
		what = "kicked"
		if e.Source != nil {
			what += " by " + e.Source.Name
		}
		if len(e.Params) > 2 {
			what += ": " + e.Last()
		}
	default:
		return
	}
	for _, r := range l.find(e.Params[0]) {
		l.kickedOut(r, what)
	}
}

// renamed handles a NICK or a QUIT: ours, or of the user who has the nick that we want.
func (l *link) renamed(e *girc.Event) {
	if e.Source == nil {
		return
	}
	if e.Command == girc.NICK && l.isMe(e) {
		delete(l.awaited, awaitNick)
		l.nick = e.Last()
		l.publish(func(s *LinkStatus) { s.Nick = l.nick })
		return
	}
	if l.fold(e.Source.Name) == l.fold(l.settings.nick(l.number, l.maxNickLen())) {
		l.nickTried = time.Time{} // it is free now
	}
	if e.Command == girc.NICK {
		l.retryNow(e.Last())
	}
}

// retryNow ends the backoff of a person who was seen, or of a channel that invites us.
func (l *link) retryNow(name string) {
	for _, r := range l.find(name) {
		r.retry = time.Time{}
	}
}

// modeChanged handles a MODE, after which we may be allowed to speak, or no longer be: for
// a while each line is confirmed before the next is sent.
func (l *link) modeChanged(e *girc.Event) {
	if len(e.Params) == 0 {
		return
	}
	for _, r := range l.find(e.Params[0]) {
		r.careful = l.client.Now().Add(carefulTime)
		if r.state == inside {
			r.retry = time.Time{}
		}
	}
}
