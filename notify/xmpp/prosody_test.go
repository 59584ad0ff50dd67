package xmpp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit/prosody"
	"vext/notify"
)

// A recorder records what a handler gets.
type recorder struct {
	connected    chan string
	disconnected chan error
	messages     chan Message
	presences    chan Presence
}

func (r *recorder) handler() Handler {
	return Handler{
		Connected: func(self string) { r.connected <- self }, Disconnected: func(err error) { r.disconnected <- err },
		Message: func(m Message) { r.messages <- m }, Presence: func(p Presence) { r.presences <- p },
	}
}

func newRecorder() *recorder {
	return &recorder{make(chan string, 100), make(chan error, 100), make(chan Message, 10000), make(chan Presence, 1000)}
}

// next returns the next value of a channel.
func next[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(30 * time.Second):
		t.Fatal("nothing arrives")
		panic("unreachable")
	}
}

func none[T any](t *testing.T, c <-chan T) {
	t.Helper()
	select {
	case v := <-c:
		t.Errorf("unexpected: %+v", v)
	default:
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start runs a client until the test ends, or stop is called.
func start(t *testing.T, o Options, change func(*Client)) (c *Client, r *recorder, stop func()) {
	t.Helper()
	o.Now = time.Now
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c, err := New(o)
	ok(t, err)
	if change != nil {
		change(c)
	}
	r = newRecorder()
	c.Handle(r.handler())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := c.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return c, r, stop
}

func options(s *prosody.Server, user string) Options {
	return Options{JID: prosody.JID(user), Password: prosody.Password, Server: s.Addr, TLS: s.ClientTLS(), Resource: "vext-here"}
}

// srv answers with one server for each of some services.
func srv(servers map[string]string) func(context.Context, string, string, string) (string, []*net.SRV, error) {
	return func(_ context.Context, service, _, name string) (string, []*net.SRV, error) {
		host, port, err := net.SplitHostPort(servers[service])
		if err != nil || name != prosody.Domain {
			return "", nil, &net.DNSError{Err: "no such host", IsNotFound: true}
		}
		n, err := strconv.Atoi(port)
		return "", []*net.SRV{{Target: host + ".", Port: uint16(n)}}, err
	}
}

func TestMessages(t *testing.T) {
	s := prosody.Start(t, prosody.Options{})
	romeo, atRomeo, stop := start(t, options(s, "romeo"), nil)
	self := next(t, atRomeo.connected)
	if !strings.HasPrefix(self, "romeo@localhost/vext-here-") {
		t.Errorf("bound %s", self)
	}
	if got := romeo.Status(); !got.Connected || got.Self != self || got.Account != "romeo@localhost" || got.Server != s.Addr || got.Error != "" {
		t.Errorf("%+v", got)
	}
	juliet, atJuliet, _ := start(t, options(s, "juliet"), nil)
	other := next(t, atJuliet.connected)

	m := Message{ID: "1", To: "juliet@localhost", Type: "chat", Body: "<&>\n\"ü\"", Request: true, Payload: []byte(`<push xmlns="urn:vext:autosync:0" new="abc"><url>x</url></push>`)}
	ok(t, romeo.Send(t.Context(), m))
	got := next(t, atJuliet.messages)
	if got.From != self || got.Body != m.Body || got.Type != "chat" || !got.Request || got.ID != "1" || got.Delayed || string(got.Payload) != string(m.Payload) {
		t.Errorf("%+v, payload %s", got, got.Payload)
	}
	ok(t, juliet.Send(t.Context(), Message{To: got.From, Type: "chat", Receipt: got.ID}))
	if got := next(t, atRomeo.messages); got.From != other || got.Receipt != "1" || got.Body != "" {
		t.Errorf("%+v", got)
	}
	ok(t, romeo.Send(t.Context(), Message{ID: "2", To: "nobody@localhost", Type: "chat", Body: "x"}))
	if got := next(t, atRomeo.messages); got.Type != "error" || got.ID != "2" || got.Error != "service-unavailable" || got.From != "nobody@localhost" {
		t.Errorf("%+v", got)
	}
	// To the own bare JID: each resource gets it once, this one too.
	second, atSecond, stopSecond := start(t, options(s, "romeo"), nil)
	twin := next(t, atSecond.connected)
	ok(t, second.Send(t.Context(), Message{To: "romeo@localhost", Type: "chat", Body: "mine"}))
	for _, r := range []*recorder{atRomeo, atSecond} {
		if got := next(t, r.messages); got.From != twin || got.Body != "mine" || got.Carbon {
			t.Errorf("%+v", got)
		}
		none(t, r.messages)
	}
	for seen := ""; seen != twin; {
		p := next(t, atRomeo.presences)
		if seen = p.From; !p.Available {
			t.Errorf("%+v", p)
		}
	}
	stopSecond()
	for p := next(t, atRomeo.presences); p.Available || p.From != twin; p = next(t, atRomeo.presences) {
	}
	stop()
	if err := romeo.Send(t.Context(), m); !notify.IsUnavailable(err) || !errors.Is(err, ErrNotConnected) {
		t.Error(err)
	}
	ok(t, juliet.Send(t.Context(), Message{To: "romeo@localhost", Type: "chat", Body: "later"}))
	_, atRomeo, _ = start(t, options(s, "romeo"), nil)
	if got := next(t, atRomeo.messages); !got.Delayed || got.Body != "later" {
		t.Errorf("%+v", got)
	}
	if strings.Contains(s.Log(), "conflict") || s.Logins() != 4 {
		t.Errorf("a conflict, or %d logins", s.Logins())
	}
}

func TestLogins(t *testing.T) {
	for name, test := range map[string]struct {
		tls12    bool
		settings []string
		change   func(*Options, *prosody.Server)
		want     string // in the log of the server
	}{
		"SCRAM-SHA-256":    {want: "SCRAM-SHA-256"},
		"SCRAM-SHA-1":      {settings: []string{`disable_sasl_mechanisms = { "SCRAM-SHA-256" }`}, want: "SCRAM-SHA-1"},
		"PLAIN":            {settings: []string{`disable_sasl_mechanisms = { "SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5" }`}, want: "PLAIN"},
		"bound to TLS 1.2": {tls12: true, want: "SCRAM-SHA-256-PLUS"},
		"TLS at once": {change: func(o *Options, s *prosody.Server) {
			o.Server, o.Lookup = "", srv(map[string]string{"xmpps-client": s.TLS, "xmpp-client": s.Addr})
		}},
		"SRV": {change: func(o *Options, s *prosody.Server) {
			o.Server, o.Lookup = "", srv(map[string]string{"xmpps-client": "127.0.0.1:1", "xmpp-client": s.Addr})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := prosody.Start(t, prosody.Options{Settings: test.settings, TLS12: test.tls12})
			o := options(s, "romeo")
			if test.change != nil {
				test.change(&o, s)
			}
			c, r, _ := start(t, o, nil)
			self := next(t, r.connected)
			ok(t, c.Send(t.Context(), Message{To: "romeo@localhost", Type: "chat", Body: "x"}))
			if got := next(t, r.messages); got.From != self {
				t.Errorf("%+v", got)
			}
			if test.want != "" && !strings.Contains(s.Log(), `mechanism='`+test.want+`'`) {
				t.Errorf("no login by %s", test.want)
			}
		})
	}
}

func TestCertificates(t *testing.T) {
	s := prosody.Start(t, prosody.Options{})
	for certificate, want := range map[prosody.Certificate]string{
		prosody.WrongName: "the certificate of the server is for example.org, not for localhost; no password was sent",
		prosody.Untrusted: "the certificate of the server is signed by no authority that this machine trusts; no password was sent",
		prosody.Expired:   "the certificate of the server is expired or not yet valid; no password was sent",
	} {
		s.Certify(certificate)
		s.Restart()
		for _, server := range []string{s.Addr, s.TLS} {
			o := options(s, "romeo")
			o.Server, o.Lookup = "", srv(map[string]string{"xmpp-client": server})
			if server == s.TLS {
				o.Lookup = srv(map[string]string{"xmpps-client": server})
			}
			o.TLS.InsecureSkipVerify = true // which counts for nothing
			c, _, stop := start(t, o, nil)
			for c.Status().Error == "" {
				time.Sleep(time.Millisecond)
			}
			if got := c.Status(); got.Error != want || got.Retry.IsZero() || got.Connected {
				t.Errorf("%+v", got)
			}
			stop()
		}
	}
	if s.Attempts() > 0 || strings.Contains(s.Log(), "<auth") {
		t.Error("a login was attempted")
	}
}

func TestPlaintext(t *testing.T) {
	s := prosody.Start(t, prosody.Options{Plaintext: true})
	c, _, _ := start(t, options(s, "romeo"), nil)
	for c.Status().Error == "" {
		time.Sleep(time.Millisecond)
	}
	if got := c.Status().Error; got != "the server offers no encryption (STARTTLS)" {
		t.Error(got)
	}
	if strings.Contains(s.Log(), "<auth") {
		t.Error("a login was attempted")
	}
}

// A server that is frozen is noticed, and reached again when it is back.
func TestFreeze(t *testing.T) {
	s := prosody.Start(t, prosody.Options{})
	c, r, _ := start(t, options(s, "romeo"), func(c *Client) {
		c.pace.ping, c.pace.answer, c.pace.login, c.pace.soon = 100*time.Millisecond, 500*time.Millisecond, 2*time.Second, 300*time.Millisecond
	})
	self := next(t, r.connected)
	s.Freeze()
	if err := next(t, r.disconnected); !errors.Is(err, errSilent) {
		t.Error(err)
	}
	if err := c.Send(t.Context(), Message{To: "romeo@localhost"}); !notify.IsUnavailable(err) {
		t.Error(err)
	}
	s.Thaw()
	if again := next(t, r.connected); again != self {
		t.Errorf("%s, then %s", self, again)
	}
	s.Restart()
	next(t, r.disconnected)
	next(t, r.connected)
}

// A rejected login is not repeated soon, and says why.
func TestWrongPassword(t *testing.T) {
	s := prosody.Start(t, prosody.Options{})
	o := options(s, "romeo")
	o.Password = "wrong"
	c, r, _ := start(t, o, nil)
	for c.Status().Error == "" {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(2 * time.Second)
	if got := c.Status(); !strings.HasPrefix(got.Error, "the server rejected the login of romeo@localhost: wrong password, or no such account: not-authorized") || time.Until(got.Retry) < 30*time.Second {
		t.Errorf("%+v", got)
	}
	none(t, r.connected)
	if n := s.Attempts(); n != 1 || s.Logins() != 0 {
		t.Errorf("%d logins", n)
	}
}

// Two clients are in a room under two nicks.
func TestJoin(t *testing.T) {
	s := prosody.Start(t, prosody.Options{})
	romeo, atRomeo, _ := start(t, options(s, "romeo"), nil)
	juliet, atJuliet, _ := start(t, options(s, "juliet"), nil)
	next(t, atRomeo.connected)
	next(t, atJuliet.connected)
	const room = "dev@" + prosody.MUC
	join := func(c *Client, r *recorder, as, want string) {
		t.Helper()
		ok(t, c.SendPresence(t.Context(), room+"/"+as, PresenceOptions{Room: true}))
		for p := next(t, r.presences); ; p = next(t, r.presences) {
			if p.From == room+"/"+as && (p.Error != "" || slices.Contains(p.Codes, 110)) {
				if p.Error != want || p.Available != (want == "") {
					t.Errorf("%+v", p)
				}
				return
			}
		}
	}
	join(romeo, atRomeo, "vext", "")
	join(juliet, atJuliet, "vext", "conflict")
	join(juliet, atJuliet, "vext_", "")
	ok(t, juliet.Send(t.Context(), Message{To: room, Type: "groupchat", Body: "hello"}))
	for m := next(t, atRomeo.messages); m.Body != "hello"; m = next(t, atRomeo.messages) {
		if m.Type == "groupchat" && m.From == room+"/vext_" && m.Body != "" {
			t.Errorf("%+v", m)
		}
	}
	ok(t, juliet.SendPresence(t.Context(), room+"/vext_", PresenceOptions{Leave: true}))
	for p := next(t, atRomeo.presences); p.From != room+"/vext_" || p.Available; p = next(t, atRomeo.presences) {
	}
	ok(t, juliet.Send(t.Context(), Message{ID: "9", To: room, Type: "groupchat", Body: "outside"}))
	for m := next(t, atJuliet.messages); m.Error == ""; m = next(t, atJuliet.messages) {
	}
}
