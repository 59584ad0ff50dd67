package irc

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/ircd"
)

// secure returns the URL of a channel by TLS, with a host name.
func secure(host, addr, name string) string {
	_, port, _ := net.SplitHostPort(addr)
	return "ircs://" + net.JoinHostPort(host, port) + "/" + name
}

// A server is spoken to only when its certificate is from a CA that is trusted
// and for the name that was asked for.
func TestTLS(t *testing.T) {
	t.Parallel()
	eachServer(t, ircd.Options{TLS: true, Names: []string{"localhost"}}, func(t *testing.T, o ircd.Options) {
		s := ircd.Start(t, o)
		ear := ircd.Record(t, s.Addr, nil, "", "ear", "#src", "#other")
		other := ircd.NewBot(t, quick) // which does not trust the CA
		b := ircd.NewBot(t, fmt.Sprintf("%sca = %q\n", quick, s.CA.File()))
		for _, refused := range []struct {
			b    *ircd.Bot
			host string
		}{{other, "localhost"}, {b, "127.0.0.1"}} {
			refused.b.Say(secure(refused.host, s.TLSAddr, "other"), "not to be delivered")
			refused.b.Await("certificate")
		}
		b.Say(secure("localhost", s.TLSAddr, "src"), "x")
		wantAll(t, ear.WaitReceived("#src", 1, soon), []string{"x"}, 0)
		if received := ear.Received("#other"); len(received) > 0 {
			t.Errorf("sent to a server that is another: %q", ircd.Texts(received))
		}
	})
}

// Accounts are logged in to by SASL, at services that are linked to inspircd;
// who is rejected sends nothing and says why.
func TestSASL(t *testing.T) {
	t.Parallel()
	s := ircd.Start(t, ircd.Options{Kind: ircd.Inspircd, TLS: true, Services: []string{"jane:secret"}})
	ear := ircd.Record(t, s.Addr, nil, "", "ear", "#src")
	ear.Mode("#src", "+R") // lets in those who have an account
	ca := quick + fmt.Sprintf("ca = %q\n", s.CA.File())
	cert, key := s.CA.Client("jane").Write(t, t.TempDir())
	for _, test := range []struct{ name, settings, refused string }{
		{"plain", "sasl = \"plain\"\naccount = \"jane\"\npassword = \"secret\"\n", ""},
		{"external", fmt.Sprintf("sasl = \"external\"\ncertificate = %q\nkey = %q\n", cert, key), ""},
		{"wrong", "sasl = \"plain\"\naccount = \"jane\"\npassword = \"wrong\"\n", "SASL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := ircd.NewBot(t, ca+test.settings)
			before := len(ear.Received("#src"))
			b.Say(secure("localhost", s.TLSAddr, "src"), test.name)
			if test.refused != "" {
				b.Await(test.refused)
				if received := ear.Received("#src"); len(received) > before {
					t.Errorf("received %q", received[before:])
				}
				return
			}
			received := ear.WaitReceived("#src", before+1, soon)
			wantAll(t, received[before:], []string{test.name}, 0)
		})
	}
}

// What a server does not offer, or refuses, is an error: nothing is sent.
func TestSASLRefused(t *testing.T) {
	t.Parallel()
	account := quick + "sasl = \"plain\"\naccount = \"jane\"\npassword = \"secret\"\n"
	for name, script := range map[string]ircd.Script{
		"not offered": {},
		"refused":     {SASL: []string{"PLAIN"}, Accounts: map[string]string{"jane": "other"}},
		"not acknowledged": {
			SASL: []string{"PLAIN"}, Accounts: map[string]string{"jane": "secret"}, Nak: []string{"sasl"},
		},
		"other mechanism": {SASL: []string{"EXTERNAL"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := ircd.NewScripted(t, script)
			b := ircd.NewBot(t, account)
			b.Say(url(s.Addr, "src"), "x")
			s.WaitLines("NICK", 1)
			b.Await("sasl")
			if said := s.Said(""); len(said) > 0 {
				t.Errorf("sent %q", ircd.Texts(said))
			}
			s.Change(func(script *ircd.Script) {
				*script = ircd.Script{SASL: []string{"PLAIN"}, Accounts: map[string]string{"jane": "secret"}}
			})
			wantAll(t, s.WaitSaid("#src", 1, later), []string{"x"}, 0)
		})
	}
}

// A server's capabilities that it refuses when asked for are done without.
func TestCapabilitiesRefused(t *testing.T) {
	t.Parallel()
	caps := []string{"labeled-response", "echo-message", "batch", "message-tags"}
	for _, nak := range [][]string{{"echo-message"}, caps} {
		s := ircd.NewScripted(t, ircd.Script{Caps: caps, Nak: nak})
		b := ircd.NewBot(t, quick)
		texts := numbered("nak", 10)
		b.Say(url(s.Addr, "src"), texts...)
		wantAll(t, s.WaitSaid("#src", 10, soon), texts, 0)
	}
}

func TestServerPassword(t *testing.T) {
	t.Parallel()
	eachServer(t, ircd.Options{Password: "secret"}, func(t *testing.T, o ircd.Options) {
		s := ircd.Start(t, o)
		ear := ircd.Record(t, s.Addr, nil, "secret", "ear", "#src", "#url")
		b := ircd.NewBot(t, quick+"server_password = \"secret\"\n")
		b.Say(url(s.Addr, "src"), "x")
		wantAll(t, ear.WaitReceived("#src", 1, soon), []string{"x"}, 0)
		other := ircd.NewBot(t, quick+"nick = \"other\"\n")
		other.Say("irc://jane:secret@"+s.Addr+"/url", "x")
		wantAll(t, ear.WaitReceived("#url", 1, soon), []string{"x"}, 0)
	})
}

// NickServ gets the password before anything else is sent.
func TestNickServ(t *testing.T) {
	t.Parallel()
	s := ircd.NewScripted(t, ircd.Script{})
	b := ircd.NewBot(t, quick+"nickserv = true\naccount = \"jane\"\npassword = \"secret\"\n")
	b.Say(url(s.Addr, "src"), "x")
	s.WaitSaid("#src", 1, soon)
	said := s.Said("")
	if len(said) != 2 || !strings.EqualFold(said[0].To, "NickServ") || !strings.Contains(said[0].Text, "IDENTIFY") || !strings.Contains(said[0].Text, "secret") {
		t.Errorf("it said %+v", said)
	}
	if status := b.Status() + b.Log(); strings.Contains(status, "secret") {
		t.Errorf("the password is shown:\n%s", status)
	}
}

// Somebody else has the nick: vext takes the next, and the wanted one when it
// is free.
func TestNickTaken(t *testing.T) {
	t.Parallel()
	eachServer(t, ircd.Options{NickLength: 9}, func(t *testing.T, o ircd.Options) {
		s := ircd.Start(t, o)
		ear := ircd.Record(t, s.Addr, nil, "", "ear", "#src")
		thief := ircd.Record(t, s.Addr, nil, "", "vextlongn")
		b := ircd.NewBot(t, quick+"nick = \"vextlongn\"\n")
		b.Say(url(s.Addr, "src"), "one")
		received := ear.WaitReceived("#src", 1, soon)
		wantAll(t, received, []string{"one"}, 0)
		if len(received) > 0 && (received[0].From == "vextlongn" || len(received[0].From) > 9) {
			t.Errorf("it is %s", received[0].From)
		}
		thief.Sendf("QUIT")
		thief.Close()
		ear.Patiently(later, "the nick is regained", func(m ircd.Message) bool { return m.Command == "NICK" && m.Param(0) == "vextlongn" })
		b.Say(url(s.Addr, "src"), "two")
		wantAll(t, ear.WaitReceived("#src", 2, soon), []string{"one", "two"}, 0)
	})
}

// A registration that is rejected is retried.
func TestRegistrationRefused(t *testing.T) {
	t.Parallel()
	s := ircd.NewScripted(t, ircd.Script{Refuse: 2})
	b := ircd.NewBot(t, quick)
	b.Say(url(s.Addr, "src"), "x")
	b.Await("come back later")
	wantAll(t, s.WaitSaid("#src", 1, later), []string{"x"}, 0)
	if n := s.Connections(); n != 3 {
		t.Errorf("it came %d times", n)
	}
}

// A server that never ends its line is left.
func TestEndlessLine(t *testing.T) {
	t.Parallel()
	s := ircd.NewScripted(t, ircd.Script{Endless: true})
	b := ircd.NewBot(t, quick)
	b.Say(url(s.Addr, "src"), "x")
	b.Await("line of more than")
	s.Change(func(script *ircd.Script) { script.Endless = false })
	wantAll(t, s.WaitSaid("#src", 1, later), []string{"x"}, 0)
}

func TestProxy(t *testing.T) {
	t.Parallel()
	for _, user := range []string{"", "jane"} {
		t.Run(user, func(t *testing.T) {
			t.Parallel()
			s := ircd.NewScripted(t, ircd.Script{})
			p := ircd.NewSocks(t, user, "secret")
			login := ""
			if user != "" {
				login = user + ":secret@"
			}
			b := ircd.NewBot(t, quick+fmt.Sprintf("proxy = \"socks5://%s%s\"\n", login, p.Addr))
			_, port, _ := net.SplitHostPort(s.Addr)
			b.Say(url("localhost:"+port, "src"), "x")
			wantAll(t, s.WaitSaid("#src", 1, soon), []string{"x"}, 0)
			if asked := p.Asked(); len(asked) != 1 || asked[0] != "localhost:"+port {
				t.Errorf("the proxy was asked for %q", asked)
			}
		})
	}
}

func TestIPv6(t *testing.T) {
	t.Parallel()
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		testkit.Missing(t, "there is no IPv6")
	} else {
		l.Close()
	}
	eachServer(t, ircd.Options{Host: "::1"}, func(t *testing.T, o ircd.Options) {
		s := ircd.Start(t, o)
		ear := ircd.Record(t, s.Addr, nil, "", "ear", "#src")
		b := ircd.NewBot(t, quick)
		b.Say(url(s.Addr, "src"), "x")
		wantAll(t, ear.WaitReceived("#src", 1, soon), []string{"x"}, 0)
	})
}

// At its own pace vext never floods a server that lets a command a second be
// and keeps 10 KB of what comes faster.
func TestFloodLimits(t *testing.T) {
	t.Parallel()
	eachServer(t, ircd.Options{Flood: ircd.Lag}, func(t *testing.T, o ircd.Options) {
		s := ircd.Start(t, o)
		ear := ircd.Record(t, s.Addr, nil, "", "ear", "#src")
		b := ircd.NewBot(t, "[irc]\nbacklog_lines = 0\n")
		texts := numbered(strings.Repeat("long ", 75), 40)
		b.Say(url(s.Addr, "src"), texts...)
		wantAll(t, ear.WaitReceived("#src", 40, 40*time.Second), texts, 0)
		for _, m := range ear.Messages() {
			if m.Command == "QUIT" {
				t.Errorf("%s quit: %q", m.From, m.Params)
			}
		}
	})
}

// A server that is stricter than the configured pace ends the connection. vext
// slows down, and all is delivered.
func TestExcessFlood(t *testing.T) {
	t.Parallel()
	s := ircd.Start(t, ircd.Options{Kind: ircd.Inspircd, Flood: ircd.Kill})
	ear := ircd.Record(t, s.Addr, nil, "", "ear", "#src")
	b := ircd.NewBot(t, "[irc]\nburst = 20\nrate = 4.0\nbacklog_lines = 0\n")
	texts := numbered("flood", 30)
	b.Say(url(s.Addr, "src"), texts...)
	wantAll(t, ear.WaitAll("#src", texts, later), texts, 5*20)
	quits := 0
	for _, m := range ear.Messages() {
		if m.Command == "QUIT" && strings.Contains(m.Param(0), "Excess Flood") {
			quits++
		}
	}
	if quits > 5 {
		t.Errorf("ended %d times for Excess Flood", quits)
	}
}
