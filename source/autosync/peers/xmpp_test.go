package peers_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vext/internal/testkit/prosody"
	"vext/internal/testkit/xmpptest"
	"vext/notify"
	"vext/notify/xmpp"
	"vext/source/autosync/peers"
	"vext/source/autosync/peers/peerstest"
)

// A running link runs the connection that it has.
type running struct {
	peers.Link
	client *xmpp.Client
}

func (r running) Run(ctx context.Context, pushed func(peers.Push)) error {
	var wg sync.WaitGroup
	wg.Go(func() { r.client.Run(ctx) })
	defer wg.Wait()
	return r.Link.Run(ctx, pushed)
}

// onServer returns the link of a machine, to a server.
func onServer(t *testing.T, s *prosody.Server, user, host string) running {
	t.Helper()
	c, err := xmpp.New(xmpp.Options{JID: prosody.JID(user), Password: prosody.Password, Server: s.Addr, TLS: s.ClientTLS(), Resource: "vext-" + host, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return running{peers.NewXMPP(peers.XMPP{Connection: c, Host: host, Now: time.Now}), c}
}

func TestXMPP(t *testing.T) {
	peerstest.Run(t, func(t *testing.T) peerstest.Setup {
		s := prosody.Start(t, prosody.Options{})
		t.Cleanup(func() {
			if strings.Contains(s.Log(), "conflict") {
				t.Error("two links take the resource from each other")
			}
		})
		return peerstest.Setup{
			// The first two are two instances on one machine.
			Links:    [3]peers.Link{onServer(t, s, "romeo", "alpha"), onServer(t, s, "romeo", "alpha"), onServer(t, s, "romeo", "gamma")},
			Stranger: onServer(t, s, "juliet", "delta"), Break: s.Restart, Named: true,
		}
	})
}

const (
	self  = "me@example.org/vext-alpha-01234567"
	other = "me@example.org/AutosyncJabberBot on beta"
	bare  = "me@example.org"
)

// A fakeLink is a running link over a fake connection.
type fakeLink struct {
	*xmpptest.Fake
	peers.Link
	pushes chan peers.Push
	stop   func()
}

func onFake(t *testing.T) *fakeLink {
	l := &fakeLink{Fake: xmpptest.New(), pushes: make(chan peers.Push, 2000)}
	l.Link = peers.NewXMPP(peers.XMPP{Connection: l.Fake, Host: "alpha", Now: time.Now})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { l.Link.Run(ctx, func(p peers.Push) { l.pushes <- p }) })
	l.stop = func() { cancel(); wg.Wait() }
	t.Cleanup(l.stop)
	return l
}

// connect connects, and skips what belongs to that.
func (l *fakeLink) connect(t *testing.T) {
	t.Helper()
	l.Connect(self)
	synctest.Wait()
	if got := l.got(); len(got) != 1 || got[0].Remote != "" {
		t.Errorf("%+v", got)
	}
	if got := l.Messages(); len(got) != 1 || got[0].Body != "login vext-alpha-01234567" || got[0].To != bare || got[0].Type != "chat" {
		t.Errorf("%+v", got)
	}
}

// got returns the pushes that have arrived.
func (l *fakeLink) got() (got []peers.Push) {
	for {
		select {
		case p := <-l.pushes:
			got = append(got, p)
		default:
			return got
		}
	}
}

// What is understood, what is answered, and to whom.
func TestXMPPWords(t *testing.T) {
	const url = "ssh://example.org/notes"
	payload := func(inner string) []byte { return []byte(`<push xmlns="urn:vext:autosync:0" ` + inner) }
	chat := func(body string) xmpp.Message { return xmpp.Message{From: other, Type: "chat", Body: body} }
	with := func(change func(*xmpp.Message)) xmpp.Message {
		m := chat("pushed " + url)
		change(&m)
		return m
	}
	plain := &peers.Push{Remote: url, Host: "beta"}
	for name, test := range map[string]struct {
		message xmpp.Message
		pushed  *peers.Push
		answer  string
	}{
		"pushed":               {chat("pushed " + url), plain, ""},
		"of Python 2":          {chat("pushed " + url + "\n"), plain, ""},
		"of Python 3":          {chat(`pushed b'` + url + `\n'`), plain, ""},
		"of Python 3, quotes":  {chat(`pushed b"` + url + `\r\n"`), plain, ""},
		"upper case":           {chat("PUSHED  " + url), plain, ""},
		"no URL":               {chat("pushed"), &peers.Push{Host: "beta"}, ""},
		"an option":            {chat("pushed --upload-pack=x"), &peers.Push{Host: "beta"}, ""},
		"long":                 {chat("pushed " + strings.Repeat("x", 5000)), &peers.Push{Host: "beta"}, ""},
		"not chat":             {with(func(m *xmpp.Message) { m.Type = "normal" }), nil, ""},
		"a room":               {with(func(m *xmpp.Message) { m.Type = "groupchat" }), nil, ""},
		"stored":               {with(func(m *xmpp.Message) { m.Delayed = true }), nil, ""},
		"a copy":               {with(func(m *xmpp.Message) { m.Carbon = true }), nil, ""},
		"our own":              {with(func(m *xmpp.Message) { m.From = self }), nil, ""},
		"another account":      {with(func(m *xmpp.Message) { m.From = "you@example.org/x" }), nil, ""},
		"a similar account":    {with(func(m *xmpp.Message) { m.From = "me@example.org.evil/x" }), nil, ""},
		"the account itself":   {with(func(m *xmpp.Message) { m.From = bare }), nil, ""},
		"no sender":            {with(func(m *xmpp.Message) { m.From = "" }), nil, ""},
		"asks for a receipt":   {with(func(m *xmpp.Message) { m.ID, m.Request = "7", true }), plain, "receipt 7"},
		"not understood":       {xmpp.Message{From: other, Type: "chat", Body: "hi", ID: "7", Request: true}, nil, ""},
		"ping":                 {chat("ping"), nil, "pong"},
		"Ping":                 {chat(" Ping\n"), nil, "pong"},
		"ping and more":        {chat("ping me"), nil, ""},
		"whoami":               {chat("whoami"), nil, "You are " + other + ", I am " + self},
		"whoami of a stranger": {xmpp.Message{From: "you@example.org/x", Type: "chat", Body: "whoami"}, nil, ""},
		"pong":                 {chat("pong"), nil, ""},
		"you are":              {chat("You are a, I am b"), nil, ""},
		"unknown":              {chat(`Unknown command: "x". Type "help" for available commands.`), nil, ""},
		"blubb":                {chat("<b>blubb!</b>"), nil, ""},
		"help":                 {chat("help pushed"), nil, ""},
		"login":                {chat("login AutosyncJabberBot on beta"), nil, ""},
		"nothing":              {chat(""), nil, ""},
		"an element": {with(func(m *xmpp.Message) {
			m.Payload = payload(`repository="git 12" remote="ssh://x/y" branch="main" old="0a" new="0b" host="gamma" later="1"><url>https://gamma.local/n</url><url>ext::sh -c x</url><url>file:///n</url><url>/n</url><url>me@gamma:n</url><x/></push>`)
		}), &peers.Push{Repository: "git 12", Remote: "ssh://x/y", Branch: "main", Old: "0a", New: "0b", Host: "gamma", URLs: []string{"https://gamma.local/n", "me@gamma:n"}}, ""},
		"an element with an option": {with(func(m *xmpp.Message) { m.Payload = payload(`branch="--x"/>`) }), plain, ""},
		"an element with no hash":   {with(func(m *xmpp.Message) { m.Payload = payload(`new="a b"/>`) }), plain, ""},
		"another element":           {with(func(m *xmpp.Message) { m.Payload = []byte(`<pull xmlns="urn:vext:autosync:0" new="a"/>`) }), plain, ""},
		"another version":           {with(func(m *xmpp.Message) { m.Payload = []byte(`<push xmlns="urn:vext:autosync:1" new="a"/>`) }), plain, ""},
		"a broken element":          {with(func(m *xmpp.Message) { m.Payload = payload(``) }), plain, ""},
		"a large element":           {with(func(m *xmpp.Message) { m.Payload = payload(`new="` + strings.Repeat("a", 20000) + `"/>`) }), plain, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := onFake(t)
				l.connect(t)
				l.Receive(test.message)
				synctest.Wait()
				got := l.got()
				if (len(got) == 1) != (test.pushed != nil) || len(got) > 1 || test.pushed != nil && fmt.Sprint(got[0]) != fmt.Sprint(*test.pushed) {
					t.Errorf("%+v, not %+v", got, test.pushed)
				}
				answer := ""
				for _, m := range l.Messages()[1:] {
					if answer = m.Body; m.Receipt != "" {
						answer = "receipt " + m.Receipt
					}
					if m.To != other || m.Type != "chat" {
						t.Errorf("answered to %+v", m)
					}
				}
				if answer != test.answer {
					t.Errorf("answered %q, not %q", answer, test.answer)
				}
				l.stop()
			})
		})
	}
}

// No text but the known ones is ever answered, nor taken for a push.
func TestXMPPOtherTexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := onFake(t)
		l.connect(t)
		r := rand.New(rand.NewPCG(1, 2))
		words := []string{"pong", "You", "are", "Unknown", "command:", "help", "pull", "push", "pushing", "pingping", "who", "am", "I", "login", "\x00", "ü", "<b>", "sync!"}
		for range 1000 {
			var text []string
			for range 1 + r.IntN(5) {
				text = append(text, words[r.IntN(len(words))])
			}
			l.Receive(xmpp.Message{From: other, Type: "chat", Body: strings.Join(text, " ")})
			synctest.Wait()
		}
		if got := l.Messages()[1:]; len(got) > 0 {
			t.Errorf("answered %+v", got)
		}
		if got := l.got(); len(got) > 0 {
			t.Errorf("took %+v for a push", got)
		}
		l.stop()
	})
}

// A new resource of the account gets presence of its own within three seconds, once.
func TestXMPPPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := onFake(t)
		l.connect(t)
		greeted := func() (to []string) {
			for _, p := range l.Presences() {
				to = append(to, p.To)
				if p.Leave || p.Room {
					t.Errorf("%+v", p)
				}
			}
			return to
		}
		l.Show(xmpp.Presence{From: other, Available: true})
		l.Show(xmpp.Presence{From: self, Available: true})
		l.Show(xmpp.Presence{From: "you@example.org/x", Available: true})
		l.Show(xmpp.Presence{From: bare + "/phone", Available: true})
		l.Show(xmpp.Presence{From: bare + "/gone", Available: true})
		time.Sleep(time.Second)
		l.Show(xmpp.Presence{From: bare + "/gone", Type: "unavailable"})
		l.Show(xmpp.Presence{From: other, Available: true}) // is away, or so
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := greeted(); !slices.Equal(got, []string{other, bare + "/phone"}) && !slices.Equal(got, []string{bare + "/phone", other}) {
			t.Errorf("%q", got)
		}
		if got := l.Link.Status().Peers; len(got) != 1 || got[0].Name != "beta" || !got[0].Online {
			t.Errorf("%+v", got)
		}
		l.Show(xmpp.Presence{From: other, Type: "unavailable"})
		synctest.Wait()
		if got := l.Link.Status().Peers; len(got) != 1 || got[0].Online {
			t.Errorf("%+v", got)
		}
		l.Show(xmpp.Presence{From: other, Available: true})
		l.Receive(xmpp.Message{From: bare + "/x", Type: "chat", Body: "login x", Payload: []byte(`<login xmlns="urn:vext:autosync:0" host="gamma"/>`)})
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got := greeted(); len(got) != 4 || !slices.Contains(got[2:], other) || !slices.Contains(got[2:], bare+"/x") {
			t.Errorf("%q", got)
		}
		if got := l.Link.Status().Peers; len(got) != 2 || got[1].Name != "gamma" || !got[1].Online {
			t.Errorf("%+v", got)
		}
		// A resource that somebody has chosen does not name the machine; its presence does.
		l.Show(xmpp.Presence{From: bare + "/chosen", Available: true, Payload: []byte(`<login xmlns="urn:vext:autosync:0" host="delta"/>`)})
		synctest.Wait()
		if got := l.Link.Status().Peers; len(got) != 3 || got[1].Name != "delta" || !got[1].Online {
			t.Errorf("%+v", got)
		}
		if p := l.Presences()[0]; !strings.Contains(string(p.Payload), `host="`) {
			t.Errorf("the presence does not say where we are: %s", p.Payload)
		}
		l.Disconnect(errors.New("cut"))
		synctest.Wait()
		if got := l.Link.Status(); got.Connected || got.Error != "cut" || got.Peers[0].Online {
			t.Errorf("%+v", got)
		}
		l.stop()
	})
}

// An announcement waits for a connection, and fails after a while.
func TestXMPPAnnounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := onFake(t)
		begun := time.Now()
		if err := l.Announce(t.Context(), peers.Push{Remote: "r"}); !notify.IsUnavailable(err) || time.Since(begun) > time.Minute {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		time.AfterFunc(time.Second, func() { l.Connect(self) })
		if err := l.Announce(t.Context(), peers.Push{Remote: "r", New: "a"}); err != nil {
			t.Error(err)
		}
		m := l.Messages()
		if got := m[len(m)-1]; got.Body != "pushed r" || got.To != bare || got.Type != "chat" || !strings.Contains(string(got.Payload), `host="alpha"`) {
			t.Errorf("%+v", got)
		}
		l.Fail(errors.New("too much"))
		if err := l.Announce(t.Context(), peers.Push{}); err == nil || !strings.HasPrefix(err.Error(), l.Link.String()) {
			t.Error(err)
		}
		l.stop()
	})
}

// What does not fit causes a look, and loses no connection.
func TestXMPPFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := onFake(t)
		l.connect(t)
		l.stop()
		for range 1000 {
			l.Receive(xmpp.Message{From: other, Type: "chat", Body: "pushed x"})
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { l.Link.Run(ctx, func(p peers.Push) { l.pushes <- p }) })
		synctest.Wait()
		if got := l.got(); len(got) < 100 || len(got) > 300 || !slices.ContainsFunc(got, func(p peers.Push) bool { return p.Remote == "" }) {
			t.Errorf("%d pushes", len(got))
		}
		if !l.Link.Status().Connected {
			t.Error("not connected")
		}
		cancel()
		wg.Wait()
	})
}
