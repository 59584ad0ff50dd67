package peers

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"vext/internal/text"
	"vext/notify"
	"vext/notify/xmpp"
)

// XMPP is a link over the account of its user, whose resources are the machines. It speaks
// the words of dvcs-autosync, so that both understand each other.
type XMPP struct {
	Connection xmpp.Connection // which somebody else runs
	Host       string          // the name of this machine
	Log        *slog.Logger
	Now        func() time.Time
}

// Bounds and pauses of a link over XMPP.
const (
	maxWaiting = 256                     // what has arrived and is not handled
	greetAfter = 1500 * time.Millisecond // a new resource is not greeted before it can notice
)

// An xmppLink is a Link over XMPP. The goroutine of Run handles what arrives; the handlers of
// the connection, which must not block, pass it on.
type xmppLink struct {
	state
	o       XMPP
	waiting chan func()
	missed  atomic.Bool            // something did not fit into waiting
	self    atomic.Pointer[string] // the bound full JID

	upLock sync.Mutex
	up     chan struct{} // closed when the link is connected again

	// What the goroutine of Run owns.
	ctx       context.Context
	bound     string // the full JID of the connection that has begun, "" for none
	pushed    func(Push)
	resources map[string]*resource // of the account, by full JID, but this one
}

// A resource is a client of the account that is online.
type resource struct {
	name  string // of its machine; "" as long as it may be the client of a person
	greet *time.Timer
}

// NewXMPP returns a link. It is called before the connection runs.
func NewXMPP(o XMPP) Link {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l := &xmppLink{
		state: state{name: "xmpp " + o.Connection.Status().Account, now: o.Now}, o: o,
		waiting: make(chan func(), maxWaiting), up: make(chan struct{}),
	}
	o.Connection.Handle(xmpp.Handler{
		Connected: func(self string) {
			l.self.Store(&self)
			l.put(func() { l.begin(self) })
		},
		Disconnected: func(err error) { l.put(func() { l.end(err) }) },
		Message: func(m xmpp.Message) {
			if l.isOwn(m.From) && m.Type == "chat" && !m.Delayed && !m.Carbon {
				l.put(func() { l.message(m) })
			}
		},
		Presence: func(p xmpp.Presence) {
			if l.isOwn(p.From) {
				l.put(func() { l.presence(p) })
			}
		},
	})
	return l
}

// Status implements Link. Why there never was a connection only the connection knows.
func (l *xmppLink) Status() Status {
	s, c := l.state.Status(), l.o.Connection.Status()
	if s.Connected = s.Connected && c.Connected; !s.Connected && c.Error != "" {
		s.Error = text.OneLine(c.Error)
	}
	return s
}

// isOwn reports whether a stanza is from another resource of the account.
func (l *xmppLink) isOwn(from string) bool {
	self := l.self.Load()
	return self != nil && from != *self && xmpp.Bare(from) == xmpp.Bare(*self) && from != xmpp.Bare(from)
}

// put passes on what has arrived.
func (l *xmppLink) put(handle func()) {
	select {
	case l.waiting <- handle:
	default:
		l.missed.Store(true)
	}
}

// Run implements Link.
func (l *xmppLink) Run(ctx context.Context, pushed func(Push)) error {
	l.ctx, l.pushed, l.resources = ctx, pushed, map[string]*resource{}
	defer l.end(nil)
	l.resume()
	for {
		select {
		case handle := <-l.waiting:
			handle()
		case <-ctx.Done():
			return ctx.Err()
		}
		if l.missed.Swap(false) {
			l.resume()
		}
	}
}

// resume continues after something was missed, which may have been anything.
func (l *xmppLink) resume() {
	switch status := l.o.Connection.Status(); {
	case !status.Connected && l.bound != "":
		l.end(xmpp.ErrNotConnected)
	case status.Connected && l.bound == status.Self:
		l.pushed(Push{})
	case status.Connected:
		l.begin(status.Self)
	}
}

// begin handles that the connection is there. What was pushed before is not known.
func (l *xmppLink) begin(self string) {
	if l.bound == self {
		return
	}
	l.forget()
	l.bound = self
	l.connected()
	l.upLock.Lock()
	close(l.up)
	l.up = make(chan struct{})
	l.upLock.Unlock()
	l.send(xmpp.Message{To: xmpp.Bare(self), Body: "login " + resourceOf(self), Payload: loginPayload(l.o.Host), NoStore: true})
	l.pushed(Push{})
}

// end handles that the connection is lost.
func (l *xmppLink) end(err error) {
	l.forget()
	l.bound = ""
	l.disconnected(err)
}

// forget forgets who is online.
func (l *xmppLink) forget() {
	for _, r := range l.resources {
		r.greet.Stop()
	}
	clear(l.resources)
}

// send sends a message, and logs why it cannot.
func (l *xmppLink) send(m xmpp.Message) {
	ctx, cancel := context.WithTimeout(l.ctx, announceTime)
	defer cancel()
	m.Type = "chat" // without which dvcs-autosync ignores it
	if err := l.o.Connection.Send(ctx, m); err != nil && l.ctx.Err() == nil {
		l.o.Log.Debug("xmpp: not sent", "to", m.To, "error", err)
	}
}

// Announce implements Link. While there is no connection it waits for one, because it is
// often there again after a second.
func (l *xmppLink) Announce(ctx context.Context, p Push) error {
	ctx, cancel := context.WithTimeout(ctx, announceTime)
	defer cancel()
	p.Host = cmp.Or(p.Host, l.o.Host)
	m := xmpp.Message{Type: "chat", Body: "pushed " + cmp.Or(p.Remote, p.Repository), Payload: pushPayload(p), NoStore: true}
	for {
		l.upLock.Lock()
		up := l.up
		l.upLock.Unlock()
		m.To = l.o.Connection.Status().Account
		err := l.o.Connection.Send(ctx, m)
		if !notify.IsUnavailable(err) {
			return l.wrap(err)
		}
		select {
		case <-up:
		case <-ctx.Done():
			return l.wrap(err)
		}
	}
}

func (l *xmppLink) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", l.name, err)
}

// message handles a message of another resource. What is not understood gets no answer: two
// clients that answer to what they do not understand answer each other for ever. An answer
// goes to whoever asked, not to the account as that of dvcs-autosync, where all resources get
// it and some answer.
func (l *xmppLink) message(m xmpp.Message) {
	word, rest := command(m.Body)
	switch {
	case word == "pushed":
		p := parsePushed(rest, m.Payload)
		if p.Host == "" {
			p.Host = hostOf(resourceOf(m.From))
		}
		l.greet(m.From, p.Host)
		l.hasPushed(p.Host)
		l.pushed(p)
	case word == "login":
		l.greet(m.From, loginHost(m.Payload, rest))
	case word == "whoami" && rest == "":
		l.send(xmpp.Message{To: m.From, Body: fmt.Sprintf("You are %s, I am %s", m.From, *l.self.Load()), NoStore: true})
	case word == "ping" && rest == "":
		l.send(xmpp.Message{To: m.From, Body: "pong", NoStore: true})
	default:
		return
	}
	if m.Request && m.ID != "" {
		l.send(xmpp.Message{To: m.From, Receipt: m.ID, NoStore: true})
	}
}

// presence handles that a resource is online, or no longer.
func (l *xmppLink) presence(p xmpp.Presence) {
	switch {
	case p.Available:
		l.greet(p.From, presenceHost(p.Payload, resourceOf(p.From)))
	case p.Type == "unavailable":
		if r := l.resources[p.From]; r != nil {
			r.greet.Stop()
			delete(l.resources, p.From)
			l.gone(r.name)
		}
	}
}

// greet records that a resource is online, on a machine if that is known. One that is new gets
// presence of its own: dvcs-autosync ignores everybody whose presence it has not seen, and
// misses that of those who were online before it. It says on which machine we are, too, which
// the resource says only as long as nobody has chosen another.
func (l *xmppLink) greet(from, name string) {
	r := l.resources[from]
	if r == nil {
		if len(l.resources) >= maxPeers {
			return
		}
		r = &resource{greet: time.AfterFunc(greetAfter, func() { l.put(func() { l.showTo(from) }) })}
		l.resources[from] = r
	}
	if name != "" {
		if r.name != name {
			before := r.name
			r.name = name
			l.gone(before)
		}
		l.seen(name, true)
	}
}

// gone records that a machine is not online, if none of its resources is.
func (l *xmppLink) gone(name string) {
	for _, r := range l.resources {
		if r.name == name {
			return
		}
	}
	if name != "" {
		l.seen(name, false)
	}
}

// showTo sends presence to a resource that is still online.
func (l *xmppLink) showTo(to string) {
	if l.resources[to] == nil {
		return
	}
	ctx, cancel := context.WithTimeout(l.ctx, announceTime)
	defer cancel()
	if err := l.o.Connection.SendPresence(ctx, to, xmpp.PresenceOptions{Payload: loginPayload(l.o.Host)}); err != nil {
		l.o.Log.Debug("xmpp: no presence sent", "to", to, "error", err)
	}
}
