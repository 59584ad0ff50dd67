package ircd

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
)

var kinds = []Kind{Ngircd, Inspircd}

// Both servers take clients with and without TLS, carry what is said, and come
// back at the same address.
func TestServers(t *testing.T) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			s := Start(t, Options{Kind: kind, TLS: true, Password: "secret", MaxChannels: 2})
			ear := Record(t, s.Addr, nil, "secret", "ear", "#one")
			mouth := Record(t, s.TLSAddr, s.ClientTLS(), "secret", "mouth", "#one", "#two")
			for i := range 50 {
				mouth.Sendf("PRIVMSG #one :%d", i)
			}
			received := ear.WaitReceived("#one", 50, 5*time.Second)
			if len(received) != 50 || received[49].Text != "49" || received[0].From != "mouth" {
				t.Errorf("received %q", Texts(received))
			}
			mouth.Sendf("JOIN #three")
			mouth.Await("405", func(m Message) bool { return m.Command == "405" })
			ear.Kick("#one", "mouth")
			ear.Mode("#one", "+i")
			mouth.Sendf("JOIN #one")
			mouth.Await("473", func(m Message) bool { return m.Command == "473" })

			s.Kill()
			if testkit.Listens(s.Addr, 20*time.Millisecond) {
				t.Error("killed, it listens")
			}
			s.Again()
			Record(t, s.Addr, nil, "secret", "ear", "#one")
		})
	}
}

// inspircd's limit of floods bites.
func TestFlood(t *testing.T) {
	s := Start(t, Options{Kind: Inspircd, Flood: Kill})
	r := Record(t, s.Addr, nil, "", "mouth", "#one")
	for i := range 30 {
		r.Sendf("PRIVMSG #one :%d", i)
	}
	r.Await("ERROR", func(m Message) bool { return m.Command == "ERROR" && strings.Contains(m.Param(0), "Excess Flood") })
}

// inspircd asks the services that are linked to it about accounts.
func TestServices(t *testing.T) {
	s := Start(t, Options{Kind: Inspircd, TLS: true, Services: []string{"jane:secret"}})
	for _, test := range []struct{ mechanism, response, want string }{
		{"PLAIN", "\x00jane\x00secret", "903"},
		{"PLAIN", "\x00jane\x00wrong", "904"},
		{"EXTERNAL", "", "903"},
	} {
		config := s.ClientTLS()
		config.ServerName = "localhost"
		if test.mechanism == "EXTERNAL" {
			config.Certificates = s.CA.Client("jane").ServerTLS(t).Certificates
		}
		conn, err := tls.Dial("tcp", s.TLSAddr, config)
		if err != nil {
			t.Fatal(err)
		}
		got := authenticate(conn, test.mechanism, test.response)
		conn.Close()
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.mechanism, got, test.want)
		}
	}
}

// authenticate does so by SASL, and returns the numeric that decides.
func authenticate(conn net.Conn, mechanism, response string) string {
	encoded := "+"
	if response != "" {
		encoded = base64.StdEncoding.EncodeToString([]byte(response))
	}
	fmt.Fprintf(conn, "CAP LS 302\r\nNICK jane\r\nUSER jane 0 * :jane\r\nCAP REQ sasl\r\n")
	conn.SetDeadline(time.Now().Add(patience))
	for in := bufio.NewScanner(conn); in.Scan(); {
		m := parse(in.Text())
		switch {
		case m.Command == "CAP" && m.Param(1) == "ACK":
			fmt.Fprintf(conn, "AUTHENTICATE %s\r\n", mechanism)
		case m.Command == "AUTHENTICATE":
			fmt.Fprintf(conn, "AUTHENTICATE %s\r\n", encoded)
		case m.Command == "903", m.Command == "904", m.Command == "908", m.Command == "ERROR":
			return m.Command
		}
	}
	return "nothing"
}

func TestScriptedSASL(t *testing.T) {
	ca := NewCA(t)
	s := NewScripted(t, Script{TLS: ca.Server().ServerTLS(t), SASL: []string{"PLAIN", "EXTERNAL"}, Accounts: map[string]string{"jane": "secret"}})
	for _, test := range []struct{ mechanism, response, want string }{
		{"PLAIN", "\x00jane\x00secret", "903"},
		{"PLAIN", "\x00jane\x00wrong", "904"},
		{"EXTERNAL", "", "904"},
		{"SCRAM", "", "908"},
	} {
		conn, err := tls.Dial("tcp", s.Addr, &tls.Config{RootCAs: ca.ClientTLS().RootCAs, ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		if got := authenticate(conn, test.mechanism, test.response); got != test.want {
			t.Errorf("%s: %s, want %s", test.mechanism, got, test.want)
		}
		conn.Close()
	}
}

// talk sends lines to a scripted server, one by one, and returns all that it
// says until it has answered the last.
func talk(t *testing.T, s *Scripted, lines ...string) string {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\nQUIT\r\n")
	all, _ := io.ReadAll(conn)
	return string(all)
}

var hello = []string{"NICK jane", "USER jane 0 * :jane"}

func TestScripted(t *testing.T) {
	for _, test := range []struct {
		name   string
		script Script
		lines  []string
		want   string
	}{
		{"welcome", Script{ISupport: []string{"NICKLEN=9"}}, nil, ":irc.example.org 001 jane :Welcome"},
		{"isupport", Script{ISupport: []string{"NICKLEN=9"}}, nil, "005 jane NICKLEN=9 :"},
		{"password", Script{Password: "x"}, nil, "464 jane :Pass"},
		{"taken", Script{Taken: []string{"Jane"}}, nil, "433 * jane :"},
		{"refused", Script{Refuse: 1}, nil, "ERROR :Closing link: come back later"},
		{"flood", Script{FloodAt: 2}, []string{"JOIN #a"}, "[Excess Flood]"},
		{"join", Script{}, []string{"JOIN #a"}, ":jane!jane@client.example.org JOIN :#a\r\n"},
		{"banned", Script{Joins: map[string]int{"#a": 474}}, []string{"JOIN #a"}, "474 jane #a :"},
		{"many", Script{MaxJoins: 1}, []string{"JOIN #a,#b"}, "405 jane #b :"},
		{"outside", Script{}, []string{"PRIVMSG #a :x"}, "404 jane #a :"},
		{"nobody", Script{Messages: map[string]int{"ida": 401}}, []string{"PRIVMSG ida :x"}, "401 jane ida :"},
		{"pong", Script{}, []string{"PING a"}, ":irc.example.org PONG irc.example.org :a\r\n"},
		{"nak", Script{Caps: []string{"batch"}, Nak: []string{"batch"}}, []string{"CAP REQ :batch"}, "CAP jane NAK :batch"},
		{"ack", Script{Caps: []string{"labeled-response"}}, []string{"CAP REQ :labeled-response", "JOIN #a", "@label=q PRIVMSG #a :x"},
			"@label=q :irc.example.org ACK"},
		{"echo", Script{Caps: []string{"labeled-response", "echo-message"}}, []string{"CAP REQ :labeled-response echo-message", "JOIN #a", "@label=q PRIVMSG #a :x"},
			"@label=q :jane!jane@client.example.org PRIVMSG #a :x"},
		{"batch", Script{Caps: []string{"labeled-response"}}, []string{"CAP REQ :labeled-response", "@label=q JOIN #a"},
			"BATCH +1 labeled-response\r\n@batch=1 :jane!"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := talk(t, NewScripted(t, test.script), append(hello, test.lines...)...); !strings.Contains(got, test.want) {
				t.Errorf("it said\n%swithout %q", got, test.want)
			}
		})
	}
}

// A message at which the connection drops is noted, not answered; the next
// connection is served.
func TestScriptedDrop(t *testing.T) {
	s := NewScripted(t, Script{DropAt: 2})
	lines := append(hello, "JOIN #a", "PRIVMSG #a :1", "PRIVMSG #a :2", "PRIVMSG #a :3")
	talk(t, s, lines...)
	if got := Texts(s.WaitSaid("#a", 2, time.Second)); len(got) != 2 {
		t.Errorf("it noted %q", got)
	}
	talk(t, s, lines...)
	if got := Texts(s.WaitSaid("#a", 5, time.Second)); len(got) != 5 {
		t.Errorf("it noted %q", got)
	}
}

func TestRelay(t *testing.T) {
	s := NewScripted(t, Script{})
	r := NewRelay(t, s.Addr)
	conn, err := net.Dial("tcp", r.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "PING a\r\n")
	if line, err := bufio.NewReader(conn).ReadString('\n'); !strings.Contains(line, "PONG") {
		t.Errorf("%q, %v", line, err)
	}
	r.Close()
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes of a connection that is cut", n)
	}
	if testkit.Listens(r.Addr, 20*time.Millisecond) {
		t.Error("closed, it listens")
	}
	r.Open(t)
	if !testkit.Listens(r.Addr, time.Second) {
		t.Error("open, it does not listen")
	}
}

func TestSocks(t *testing.T) {
	server := NewScripted(t, Script{})
	_, p, _ := net.SplitHostPort(server.Addr)
	for _, test := range []struct {
		user  string
		greet string
		want  string // the first bytes of the answer
	}{
		{"", "\x05\x01\x00", "\x05\x00\x05\x00"},
		{"jane", "\x05\x01\x02\x01\x04jane\x06secret", "\x05\x02\x01\x00\x05\x00"},
		{"jane", "\x05\x01\x02\x01\x04jane\x05wrong", "\x05\x02\x01\x01"},
	} {
		s := NewSocks(t, test.user, "secret")
		conn, err := net.Dial("tcp", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		n := testkit.Port(server.Addr)
		io.WriteString(conn, test.greet+"\x05\x01\x00\x03\x09localhost"+string([]byte{byte(n >> 8), byte(n)}))
		got := make([]byte, len(test.want))
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != test.want {
			t.Errorf("%q: %q, %v, want %q", test.greet, got, err, test.want)
		}
		if asked := s.Asked(); strings.HasPrefix(test.want, "\x05\x02\x01\x01") != (len(asked) == 0) || len(asked) > 0 && asked[0] != "localhost:"+p {
			t.Errorf("%q: asked for %q", test.greet, asked)
		}
		conn.Close()
	}
}
