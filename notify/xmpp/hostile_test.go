package xmpp

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const delay = "<delay xmlns='urn:xmpp:delay' stamp='2026-11-30T00:00:00Z'/>"

// What arrives, as handlers get it.
func TestArriving(t *testing.T) {
	const inner = "<message xmlns='jabber:client' from='romeo@localhost/phone' to='x@y' type='chat'><body>b</body></message>"
	carbon := func(from string) string {
		return "<message " + from + "><sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>" + inner + "</forwarded></sent></message>"
	}
	for sent, want := range map[string]any{
		"<message from='a@b/c' id='1' type='chat'><body>x&lt;y</body></message>":      Message{ID: "1", From: "a@b/c", Type: "chat", Body: "x<y"},
		"<message from='a@b'><body xml:lang='de'>ja</body><body>yes</body></message>": Message{From: "a@b", Type: "normal", Body: "yes"},
		"<message from='a@b'><body xml:lang='de'>ja</body></message>":                 Message{From: "a@b", Type: "normal", Body: "ja"},
		"<message type='chat'><body>x</body></message>":                               Message{From: "romeo@localhost", Type: "chat", Body: "x"},
		"<message from='a@b'>" + delay + "</message>":                                 Message{From: "a@b", Type: "normal", Delayed: true},
		"<message from='a@b'><x xmlns='jabber:x:delay'/></message>":                   Message{From: "a@b", Type: "normal", Delayed: true},
		"<message from='a@b' id='7'><request xmlns='urn:xmpp:receipts'/></message>":   Message{ID: "7", From: "a@b", Type: "normal", Request: true},
		"<message from='a@b'><received xmlns='urn:xmpp:receipts' id='7'/></message>":  Message{From: "a@b", Type: "normal", Receipt: "7"},
		"<message from='a@b'><no-store xmlns='urn:xmpp:hints'/></message>":            Message{From: "a@b", Type: "normal", NoStore: true},
		"<message from='a@b' type='error'><body>x</body><error type='cancel'><gone xmlns='" + nsStanzas + "'/><text xmlns='" + nsStanzas + "'>T</text></error></message>": Message{
			From: "a@b", Type: "error", Body: "x", Error: "gone", Text: "T"},
		"<message from='a@b' type='error'/>":                                        Message{From: "a@b", Type: "error", Error: "undefined-condition"},
		"<message from='a@b'><p:x xmlns:p='urn:vext:a:0' p:y='1' z='2'/></message>": Message{From: "a@b", Type: "normal", Payload: []byte(`<x xmlns="urn:vext:a:0" z="2"/>`)},
		carbon("from='romeo@localhost'"):                                            Message{From: "romeo@localhost/phone", To: "x@y", Type: "chat", Body: "b", Carbon: true},
		carbon("from='mallory@localhost'"):                                          nil,
		carbon("from='romeo@localhost/phone'"):                                      nil,
		"<presence from='a@b/c'/>":                                                  Presence{From: "a@b/c", Available: true},
		"<presence from='a@b/c' type='unavailable'><status>off</status></presence>": Presence{From: "a@b/c", Type: "unavailable", Text: "off"},
		"<presence from='r@c/n' type='error'><error><conflict xmlns='" + nsStanzas + "'/></error></presence>": Presence{
			From: "r@c/n", Type: "error", Error: "conflict"},
		"<presence from='r@c/n'><x xmlns='" + nsMUCUser + "'><item nick='m'><reason>R</reason></item><status code='110'/><status code='x'/><status code='303'/></x></presence>": Presence{
			From: "r@c/n", Available: true, Codes: []int{110, 303}, Nick: "m", Text: "R"},
	} {
		s := &session{stream: &stream{domain: "localhost"}, self: "romeo@localhost/x"}
		var got any
		s.handlers = []Handler{{}, {Message: func(m Message) { got = m }, Presence: func(p Presence) { got = p }}}
		ok(t, s.handle(stanza(t, sent)))
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("%s\n got %+v\nwant %+v", sent, got, want)
		}
	}
}

// stanza parses one as it is within a stream.
func stanza(t testing.TB, text string) *element {
	t.Helper()
	e, err := parse([]byte("<s xmlns='jabber:client'>" + text + "</s>"))
	ok(t.(*testing.T), err)
	return e.children[0]
}

// What others send is answered, or ignored, and never ends the connection.
func TestOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deep := strings.Repeat("<a>", 500) + strings.Repeat("</a>", 500)
		exchanges := []struct{ sent, want string }{
			{"<iq type='get' id='1' from='a@b/c'><ping xmlns='urn:xmpp:ping'/></iq>", `<iq id="1" to="a@b/c" type="result"/>`},
			{"<iq type='get' id='2' from='a@b'><query xmlns='" + nsDisco + "'/></iq>", `var="urn:xmpp:receipts"`},
			{"<iq type='get' id='3' from='a@b'><query xmlns='" + nsDisco + "' node='x'/></iq>", `<service-unavailable xmlns`},
			{"<iq type='set' id='4' from='&lt;@weird \u202e\u200b//'><x xmlns='y'/></iq>", `to="&lt;@weird ` + "\u202e\u200b" + `//" type="error"><error type="cancel"><service-unavailable`},
			{"<iq type='set' id='5'/>", `<iq id="5" type="error">`},
			{"<iq type='result' id='nobody'/><iq/><x xmlns='y'/><message/><presence/>   \n", ""},
			{"<message from='@/'><body>" + strings.Repeat("x", maxText+1) + "</body></message>", ""},
			{"<message>" + strings.Repeat("<a/>", maxElements) + "</message>", ""},
			{"<message>" + deep + "</message>", ""},
			{"<message " + strings.Repeat("a='' ", 0) + attributes(maxAttrs+1) + "/>", ""},
			{"<iq type='get' id='6' from='a@b'>" + deep + "</iq>", ""},
		}
		answers := make(chan *element, 100)
		o, _ := play(t, func(s *server) {
			if s.login() == nil {
				go func() {
					for _, e := range exchanges {
						s.write(e.sent)
					}
					s.write("<message><body>end</body></message>")
				}()
				s.serve(answers)
			}
		})
		_, r, stop := start(t, o, nil)
		<-r.connected
		for _, e := range exchanges {
			if e.want == "" {
				continue
			}
			if got := string((<-answers).encode(nsClient)); !strings.Contains(got, e.want) {
				t.Errorf("%s is answered by %s", e.sent, got)
			}
		}
		if m := <-r.messages; m.Body != "" {
			t.Errorf("%+v", m)
		}
		if m := <-r.messages; m.Body != "end" {
			t.Errorf("%.200s", m.Body)
		}
		none(t, answers)
		none(t, r.disconnected)
		stop()
	})
}

func attributes(n int) (text string) {
	for i := range n {
		text += fmt.Sprintf("a%d='' ", i)
	}
	return text
}

// A hostile server ends the connection, at most.
func TestHostile(t *testing.T) {
	endless := func(before string) func(*server) {
		return func(s *server) {
			for err := s.write(before); err == nil; err = s.write(strings.Repeat("x", 1000)) {
			}
		}
	}
	send := func(text string) func(*server) { return func(s *server) { s.write(text); s.serve(nil) } }
	for name, test := range map[string]struct {
		play func(*server)
		want string
	}{
		"endless text":      {endless("<message><body>"), "too large"},
		"endless attribute": {endless("<message from='"), "too large"},
		"endless name":      {endless("<message"), "too large"},
		"endless comment":   {endless("<!--"), "too large"},
		"endless elements": {func(s *server) {
			for err := s.write("<message>"); err == nil; err = s.write(strings.Repeat("<a>", 500)) {
			}
		}, "too large"},
		"text":        {send("hello"), "does not allow"},
		"comment":     {send("<!-- x -->"), "does not allow"},
		"directive":   {send("<!DOCTYPE x [<!ENTITY a 'b'>]>"), "does not allow"},
		"instruction": {send("<message><?x?></message>"), "does not allow"},
		"entity":      {send("<message>&a;</message>"), "invalid character entity"},
		"wrong end":   {send("<message></presence>"), "closed by"},
		"no XML":      {send("\x00\x01<"), "illegal character"},
		"end":         {send("</stream:stream>"), "the server closed the connection"},
		"error":       {send("<stream:error><system-shutdown xmlns='" + nsStreams + "'/><text xmlns='" + nsStreams + "'>bye</text></stream:error>"), "system-shutdown (bye)"},
		"odd error":   {send("<stream:error/>"), "undefined-condition"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, _ := play(t, func(s *server) {
					if s.login() == nil {
						test.play(s)
					}
				})
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				_, r, stop := start(t, o, nil)
				<-r.connected
				if err := <-r.disconnected; !strings.Contains(err.Error(), test.want) {
					t.Errorf("%v, not %q", err, test.want)
				}
				runtime.GC() // while all that is kept of it is in use
				runtime.ReadMemStats(&after)
				if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used > 64<<20 {
					t.Errorf("%d MB are used", used>>20)
				}
				stop()
			})
		})
	}
}

// A login with a server that does not do as it should fails, and sends no password.
func TestHostileLogins(t *testing.T) {
	challenge := func(text string) func(*server) {
		return func(s *server) {
			if s.secure(mechanismsOf("SCRAM-SHA-1")) != nil {
				return
			}
			e, err := s.read()
			if err != nil {
				return
			}
			first, _ := base64.StdEncoding.DecodeString(e.text)
			_, nonce, _ := strings.Cut(string(first), ",r=")
			text := strings.ReplaceAll(text, "NONCE", nonce)
			s.write("<challenge xmlns='" + nsSASL + "'>" + base64.StdEncoding.EncodeToString([]byte(text)) + "</challenge>")
			if s.read(); err == nil {
				s.write("<success xmlns='" + nsSASL + "'/>")
				s.read()
			}
		}
	}
	features := func(text string) func(*server) { return func(s *server) { s.secure(text); s.read() } }
	raw := func(text string) func(*server) {
		return func(s *server) {
			go io.Copy(io.Discard, s.conn)
			s.write(text)
		}
	}
	for name, test := range map[string]struct {
		play func(*server)
		want string
	}{
		"nothing":          {func(s *server) { s.conn.Read(make([]byte, 1000)) }, "closed the connection"},
		"silence":          {func(s *server) { time.Sleep(time.Minute) }, "does not answer"},
		"another protocol": {raw("220 mail.example.org ESMTP\r\n"), "no server of XMPP"},
		"HTML":             {raw("<html><body>"), "no server of XMPP"},
		"no features":      {func(s *server) { s.open("</stream:features><stream:features>") }, "offers no encryption"},
		"no TLS":           {func(s *server) { s.open(mechanismsOf("PLAIN")) }, "offers no encryption"},
		"TLS refused": {func(s *server) {
			s.open("<starttls xmlns='" + nsTLS + "'/>")
			s.read()
			s.write("<failure xmlns='" + nsTLS + "'/></stream:stream>")
		}, "offers no encryption"},
		"no TLS after all": {func(s *server) {
			s.open("<starttls xmlns='" + nsTLS + "'/>")
			s.read()
			s.write("<proceed xmlns='" + nsTLS + "'/>")
			go io.Copy(io.Discard, s.conn)
			s.write("<stream:features>" + mechanismsOf("PLAIN") + "</stream:features>")
		}, "TLS"},
		"no login":        {features("<bind xmlns='" + nsBind + "'/>"), "offers no login"},
		"unknown logins":  {features(mechanismsOf("X-A", "X-B")), "only logins that vext does not know: X-A, X-B"},
		"empty challenge": {challenge(""), "not understood"},
		"short field":     {challenge("r=NONCEx,s=AAAA,i=4096,x"), "not understood"},
		"other nonce":     {challenge("r=abc,s=AAAA,i=4096"), "nonce"},
		"no salt":         {challenge("r=NONCEx,i=4096"), "salt"},
		"no iterations":   {challenge("r=NONCEx,s=AAAA"), "0 iterations"},
		"iterations":      {challenge("r=NONCEx,s=AAAA,i=2000000000"), "2000000000 iterations"},
		"no proof":        {challenge("r=NONCEx,s=AAAA,i=4096"), "invalid or missing challenge"},
		"reserved":        {challenge("m=abc,r=NONCEx,s=AAAA,i=4096"), "reserved"},
		"early success": {func(s *server) {
			s.secure(mechanismsOf("SCRAM-SHA-1"))
			s.read()
			s.write("<success xmlns='" + nsSASL + "'/>")
			s.read()
		}, "without a proof"},
		"endless login": {func(s *server) {
			s.secure(mechanismsOf("PLAIN"))
			for _, err := s.read(); err == nil; _, err = s.read() {
				s.write("<challenge xmlns='" + nsSASL + "'>AAAA</challenge>")
			}
		}, "that is complete"},
		"no base64": {func(s *server) {
			s.secure(mechanismsOf("SCRAM-SHA-1"))
			s.read()
			s.write("<challenge xmlns='" + nsSASL + "'>!</challenge>")
			s.read()
		}, "base64"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, attempts := play(t, test.play)
				c, _, stop := start(t, o, nil)
				for attempts.Load() < 2 {
					time.Sleep(time.Second)
				}
				synctest.Wait()
				if got := c.Status().Error; !strings.Contains(got, test.want) {
					t.Errorf("%q, not %q", got, test.want)
				}
				stop()
				time.Sleep(time.Hour) // until the server ends
			})
		})
	}
}

// Whatever is read can be written, and is then the same.
func FuzzElement(f *testing.F) {
	for _, seed := range []string{"<a/>", "<a xmlns='x' b='&amp;'><c xmlns='y'>t</c>u</a>", "<a:b xmlns:a='z' xml:lang='de' a:c=''/>", "<a>" + strings.Repeat("<b>", 40) + strings.Repeat("</b>", 40) + "</a>"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := parse(data)
		if err != nil {
			return
		}
		first := e.encode("")
		again, err := parse(first)
		if err != nil {
			t.Fatalf("%q: %v", first, err)
		}
		if second := again.encode(""); !bytes.Equal(first, second) {
			t.Errorf("%q became %q", first, second)
		}
		m := messageOf(e)
		presenceOf(e)
		m.Payload = nil
		sent, err := m.element()
		if err != nil {
			t.Error(err)
		}
		if err := xml.Unmarshal(sent.encode(nsClient), new(struct{})); err != nil {
			t.Error(err)
		}
	})
}
