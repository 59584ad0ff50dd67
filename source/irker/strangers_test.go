package irker

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Who may not come is not served, wherever the server listens.
func TestClients(t *testing.T) {
	h := open(t, func(s *Server) { s.Clients = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	h.dial("tcp").wantEnd()
	h.wantLog(`msg="irker: client not allowed from its address" client=127.0.0.1:`)
	c := h.dial("udp")
	c.send(to("a", "x", ack))
	ok(t, c.conn.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	if b, err := c.in.ReadByte(); err == nil {
		t.Errorf("there is an answer: %q", b)
	}
	h.want()

	s := newHarness(t).server
	for _, test := range []struct {
		clients, from string
		refused       bool
	}{
		{"", "127.0.0.1:1", false}, {"", "127.9.9.9:1", false}, {"", "[::1]:1", false}, {"", "[::ffff:127.0.0.1]:1", false},
		{"", "192.0.2.1:1", true}, {"", "[2001:db8::1]:1", true}, {"", "[fe80::1%eth0]:1", true},
		{"192.0.2.0/24", "192.0.2.77:1", false}, {"192.0.2.0/24", "[::ffff:192.0.2.77]:1", false}, {"192.0.2.0/24", "192.0.3.1:1", true}, {"192.0.2.0/24", "127.0.0.1:1", true},
		{"fe80::/10", "[fe80::1%eth0]:1", false}, {"10.0.0.0/8 2001:db8::/32", "[2001:db8::1]:1", false}, {"192.0.2.0/24", "pipe", true},
	} {
		s.Clients = nil
		for _, prefix := range strings.Fields(test.clients) {
			s.Clients = append(s.Clients, netip.MustParsePrefix(prefix))
		}
		if got := s.rejects(address(test.from)); got != test.refused {
			t.Errorf("%s of %q: %v", test.from, test.clients, got)
		}
	}
}

type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }

// A browser that a web page sends here is no client.
func TestHTTP(t *testing.T) {
	h := open(t)
	c := h.dial("tcp")
	c.send(to("a", "before") + "POST / HTTP/1.1\r\nHost: localhost:6659\r\nContent-Type: text/plain\r\n\r\n" + to("a", "x") + to("a", "y"))
	c.wantEnd()
	h.wantLog(`msg="irker: client uses HTTP"`)
	h.dial("tcp").send(to("a", "GET / HTTP/1.1"))
	h.want("irc://h/#a before", "irc://h/#a GET / HTTP/1.1")
}

// Nobody can read secrets or steer a terminal by what is logged.
func TestLogIsSafe(t *testing.T) {
	h := open(t, func(s *Server) { s.Targets = []string{"irc://h/*"} })
	for _, to := range []string{`irc://h/a b?SECRET`, `irc://u:SECRET@x/c?SECRET`, `irc://u:SECRET@:x/`, "\\u001b[31m\\nred\\u202e"} {
		h.dial("udp").send(`{"to":["` + to + `"],"privmsg":"x"}`)
	}
	h.dial("udp").send("\x1b[31m{SECRET")
	h.dial("udp").send(`{"to":["irc://h/?SECRET"],"commit":"\u001b\n1","branch":"broken"}`)
	h.close()
	if got := h.log.String(); strings.Contains(got, "SECRET") || strings.ContainsAny(strings.ReplaceAll(got, "\n", ""), "\x1b\u202e\r") || !strings.Contains(got, "not_logged=5") {
		t.Errorf("the log is\n%q", got)
	}
}
