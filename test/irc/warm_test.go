package irc

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit/ircd"
)

// A notice is received at once on a connection that stands; every one, once.
func TestLatency(t *testing.T) {
	for _, kind := range []ircd.Kind{ircd.Ngircd, ircd.Inspircd} { // one after the other: it is about time
		t.Run(string(kind), func(t *testing.T) {
			s := ircd.Start(t, ircd.Options{Kind: kind})
			ear := ircd.Record(t, s.Addr, nil, "", "ear", "#src")
			b := ircd.NewBot(t, quick)
			b.Say(url(s.Addr, "src"), "first")
			ear.WaitReceived("#src", 1, later)
			c := ircd.Dial(t, b.Irker)
			defer c.Close()
			texts := numbered("warm", 100)
			var took []time.Duration
			for i, text := range texts {
				begun := time.Now()
				c.Send(url(s.Addr, "src"), text, false)
				received := ear.WaitReceived("#src", i+2, soon)
				if len(received) < i+2 {
					t.Fatalf("%q is not received", text)
				}
				took = append(took, received[i+1].At.Sub(begun))
			}
			slices.Sort(took)
			t.Logf("p50 %v, max %v", took[50], took[99])
			if took[50] > 25*time.Millisecond {
				t.Errorf("half of the notices took more than %v", took[50])
			}
			wantAll(t, ear.Received("#src"), append([]string{"first"}, texts...), 0)
		})
	}
}

// More channels than a connection may have are served by several connections.
func TestManyChannels(t *testing.T) {
	t.Parallel()
	eachServer(t, ircd.Options{MaxChannels: 10}, func(t *testing.T, o ircd.Options) {
		s := ircd.Start(t, o)
		var ears []*ircd.Recorder
		var channels []string
		for i := range 25 {
			if i%10 == 0 {
				ears = append(ears, ircd.Record(t, s.Addr, nil, "", fmt.Sprintf("ear%d", i/10)))
			}
			channels = append(channels, fmt.Sprintf("#chan%d", i))
			ears[i/10].Join(channels[i])
		}
		b := ircd.NewBot(t, quick)
		texts := numbered("many", 8)
		for _, text := range texts {
			for _, c := range channels {
				b.Say(url(s.Addr, c), text)
			}
		}
		for i, c := range channels {
			wantAll(t, ears[i/10].WaitReceived(c, len(texts), soon), texts, 0)
		}
	})
}

// A server that does not say how many channels a connection may have is
// understood when it refuses one.
func TestTooManyChannels(t *testing.T) {
	t.Parallel()
	s := ircd.NewScripted(t, ircd.Script{MaxJoins: 3})
	b := ircd.NewBot(t, quick)
	for i := range 8 {
		b.Say(url(s.Addr, fmt.Sprintf("chan%d", i)), "x")
	}
	for i := range 8 {
		if got := s.WaitSaid(fmt.Sprintf("#chan%d", i), 1, later); len(got) != 1 {
			t.Errorf("#chan%d got %d lines", i, len(got))
		}
	}
}

// Clients that are idle, or stop in the middle of a line, hold up nobody.
func TestIdleClients(t *testing.T) {
	t.Parallel()
	s := ircd.Start(t, ircd.Options{Kind: ircd.Ngircd})
	ear := ircd.Record(t, s.Addr, nil, "", "ear", "#src")
	b := ircd.NewBot(t, quick)
	for i := range 20 {
		conn, err := net.Dial("tcp", b.Irker)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if i%2 == 0 {
			fmt.Fprint(conn, `{"to": "irc://127.0.0.1/x", `)
		}
	}
	texts := numbered("idle", 10)
	b.Say(url(s.Addr, "src"), texts...)
	wantAll(t, ear.WaitReceived("#src", len(texts), soon), texts, 0)
}

// What is longer than a line is cut so that nothing of it is lost and no
// character is broken.
func TestLongText(t *testing.T) {
	t.Parallel()
	eachServer(t, ircd.Options{}, func(t *testing.T, o ircd.Options) {
		s := ircd.Start(t, o)
		ear := ircd.Record(t, s.Addr, nil, "", "ear", "#src")
		b := ircd.NewBot(t, quick)
		euros := strings.Repeat("€", 300)
		words := strings.TrimSpace(strings.Repeat("word ", 250))
		b.Say(url(s.Addr, "src"), euros, words, "end")
		var texts []string
		for i := 1; len(texts) == 0 || texts[len(texts)-1] != "end"; i++ {
			received := ear.WaitReceived("#src", i, soon)
			if len(received) < i {
				t.Fatalf("only received %q", texts)
			}
			texts = ircd.Texts(received)
		}
		split := slices.IndexFunc(texts, func(s string) bool { return strings.HasPrefix(s, "word") })
		if got := strings.Join(texts[:split], ""); got != euros {
			t.Errorf("of the euros there came %q", texts[:split])
		}
		if got := strings.Join(texts[split:len(texts)-1], " "); got != words {
			t.Errorf("of the words there came %q", texts[split:])
		}
	})
}

// No text and no target becomes a command of its own.
func TestInjection(t *testing.T) {
	t.Parallel()
	s := ircd.NewScripted(t, ircd.Script{})
	b := ircd.NewBot(t, quick)
	c := ircd.Dial(t, b.Irker)
	defer c.Close()
	src := url(s.Addr, "src")
	for _, text := range []string{"a\rQUIT :b", "a\nQUIT :b", "a\r\nQUIT :b\r\n", "a\x00QUIT", "a\u2028QUIT", "\rOPER x y\r", "\x01VERSION\x01"} {
		c.Send(src, text, false)
	}
	c.Send(src+"\r\nQUIT", "x", false)
	c.Send(url(s.Addr, "a%0d%0aQUIT"), "x", false)
	c.Send(url(s.Addr, "a?key=x%0d%0aQUIT"), "x", false)
	c.Send([]string{url(s.Addr, "a\nQUIT"), src}, "last", true)
	c.Ack()
	received := s.WaitSaid("#src", 8, soon)
	for len(received) > 0 && received[len(received)-1].Text != "last" {
		more := s.WaitSaid("#src", len(received)+1, soon)
		if len(more) == len(received) {
			t.Fatalf("the last was not delivered: %q", ircd.Texts(received))
		}
		received = more
	}
	usual := []string{"CAP", "NICK", "USER", "JOIN", "PRIVMSG", "PING", "PONG", "WHO", "MODE"}
	for _, l := range s.Lines() {
		if !slices.Contains(usual, l.Command) || strings.ContainsAny(l.Raw, "\r\x00\x01") || strings.HasPrefix(l.Param(0), "#") && l.Param(0) != "#src" {
			t.Errorf("it sent %q", l.Raw)
		}
	}
}

// vext notify says one thing.
func TestNotify(t *testing.T) {
	t.Parallel()
	eachServer(t, ircd.Options{}, func(t *testing.T, o ircd.Options) {
		s := ircd.Start(t, o)
		ear := ircd.Record(t, s.Addr, nil, "", "ear", "#src")
		b := ircd.NewBot(t, quick)
		b.Run("notify", url(s.Addr, "src"), "to all")
		b.Run("notify", url(s.Addr, "ear,isnick"), "to one")
		wantAll(t, ear.WaitReceived("#src", 1, soon), []string{"to all"}, 0)
		wantAll(t, ear.WaitReceived("ear", 1, soon), []string{"to one"}, 0)
	})
}

// Who is not there holds up nobody who is.
func TestNobody(t *testing.T) {
	t.Parallel()
	eachServer(t, ircd.Options{}, func(t *testing.T, o ircd.Options) {
		s := ircd.Start(t, o)
		ear := ircd.Record(t, s.Addr, nil, "", "ear", "#src")
		b := ircd.NewBot(t, quick)
		b.Say(url(s.Addr, "nobody,isnick"), "to nobody")
		texts := numbered("src", 5)
		b.Say(url(s.Addr, "src"), texts...)
		b.Say(url(s.Addr, "ear,isnick"), texts...)
		wantAll(t, ear.WaitReceived("#src", 5, soon), texts, 0)
		wantAll(t, ear.WaitReceived("ear", 5, soon), texts, 0)
	})
}
