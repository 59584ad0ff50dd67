package irc

import (
	"strings"
	"testing"
	"time"

	"vext/internal/testkit/ircd"
)

// behindRelay starts a server, an ear at #src, and a bot; the bot's way to the
// server is the relay.
func behindRelay(t *testing.T, o ircd.Options, settings string) (*ircd.Server, *ircd.Recorder, *ircd.Relay, *ircd.Bot) {
	t.Helper()
	s := ircd.Start(t, o)
	ear := ircd.Record(t, s.Addr, nil, "", "ear", "#src")
	return s, ear, ircd.NewRelay(t, s.Addr), ircd.NewBot(t, settings)
}

// unconfirmed is how many messages at most may be on their way when a connection
// is lost, and come again.
const unconfirmed = 64

// While the server is away notices come in all the same; when it is back they
// are delivered, in order.
func TestServerAway(t *testing.T) {
	t.Parallel()
	eachServer(t, ircd.Options{}, func(t *testing.T, o ircd.Options) {
		s, ear, way, b := behindRelay(t, o, quick)
		texts := numbered("away", 60)
		var received []ircd.Received
		for i, text := range texts {
			switch i {
			case 15:
				received = append(received, ear.WaitReceived("#src", 15, soon)...)
				way.Close()
				s.Kill()
			case 45:
				s.Again()
				ear = ircd.Record(t, s.Addr, nil, "", "ear", "#src")
				way.Open(t)
			}
			b.Say(url(way.Addr, "src"), text)
			time.Sleep(100 * time.Millisecond) // as they come in
		}
		received = append(received, ear.WaitReceived("#src", 45, later)...)
		wantAll(t, received, texts, 0)
	})
}

// The connection is cut while lines are on their way. What was not confirmed is
// sent again, nothing else.
func TestCutInTheMidst(t *testing.T) {
	t.Parallel()
	eachServer(t, ircd.Options{}, func(t *testing.T, o ircd.Options) {
		_, ear, way, b := behindRelay(t, o, "[irc]\nrate = 200.0\nbacklog_lines = 0\n")
		texts := numbered("midst", 300)
		b.Say(url(way.Addr, "src"), texts...)
		for i := range 3 {
			ear.WaitReceived("#src", 60*(i+1), later)
			way.Cut()
		}
		wantAll(t, ear.WaitAll("#src", texts, later), texts, 3*onWire)
	})
}

// onWire is how many lines can be unconfirmed when a connection is lost that
// goes at a pace: those before the PING, and those behind it until its answer.
const onWire = 20

// A server that stands still for a while loses nothing and gets nothing twice.
func TestServerStandsStill(t *testing.T) {
	t.Parallel()
	eachServer(t, ircd.Options{}, func(t *testing.T, o ircd.Options) {
		s, ear, way, b := behindRelay(t, o, quick)
		b.Say(url(way.Addr, "src"), "first")
		ear.WaitReceived("#src", 1, soon)
		s.Pause()
		texts := numbered("still", 40)
		b.Say(url(way.Addr, "src"), texts...)
		time.Sleep(3 * time.Second) // what it stands still for
		s.Resume()
		wantAll(t, ear.WaitReceived("#src", 41, later), append([]string{"first"}, texts...), 0)
	})
}

// Killed with 100 waiting, vext sends them when it is started again.
func TestKilledWith100Waiting(t *testing.T) {
	t.Parallel()
	eachServer(t, ircd.Options{}, func(t *testing.T, o ircd.Options) {
		_, ear, way, b := behindRelay(t, o, quick)
		way.Close()
		texts := numbered("waiting", 100)
		b.Say(url(way.Addr, "src"), texts...)
		b.Kill()
		way.Open(t)
		b.Start()
		wantAll(t, ear.WaitReceived("#src", 100, later), texts, 0)
	})
}

// Killed while it sends, it sends what was not confirmed again, and nothing
// else.
func TestKilledInTheMidst(t *testing.T) {
	t.Parallel()
	eachServer(t, ircd.Options{}, func(t *testing.T, o ircd.Options) {
		_, ear, way, b := behindRelay(t, o, "[irc]\nrate = 100.0\nbacklog_lines = 0\n")
		texts := numbered("midst", 200)
		b.Say(url(way.Addr, "src"), texts...)
		for i := range 3 {
			ear.WaitReceived("#src", 40*(i+1), later)
			b.Kill()
			b.Start()
		}
		wantAll(t, ear.WaitAll("#src", texts, later), texts, 3*unconfirmed)
	})
}

// Ended with 20 pending, vext ends soon, and sends the rest when it is
// started again; none twice.
func TestTermWith20Waiting(t *testing.T) {
	t.Parallel()
	eachServer(t, ircd.Options{}, func(t *testing.T, o ircd.Options) {
		_, ear, way, b := behindRelay(t, o, "")
		texts := numbered("term", 20)
		b.Say(url(way.Addr, "src"), texts...)
		ear.WaitReceived("#src", 3, soon)
		begun := time.Now()
		b.Stop()
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it took %v to end", took)
		}
		b.Start()
		wantAll(t, ear.WaitReceived("#src", 20, later), texts, 0)
	})
}

// A long backlog is summed up in one line.
func TestBacklog(t *testing.T) {
	t.Parallel()
	_, ear, way, b := behindRelay(t, ircd.Options{Kind: ircd.Ngircd}, "")
	way.Close()
	b.Say(url(way.Addr, "src"), numbered("backlog", 80)...)
	way.Open(t)
	received := ear.WaitReceived("#src", 1, later)
	if len(received) != 1 || !strings.HasPrefix(received[0].Text, "80 messages while I was away") {
		t.Errorf("received %q", ircd.Texts(received))
	}
	b.Say(url(way.Addr, "src"), "after")
	if received := ircd.Texts(ear.WaitReceived("#src", 2, soon)); len(received) != 2 || received[1] != "after" {
		t.Errorf("received %q", received)
	}
}

// A connection that is lost, again and again, before a message is confirmed:
// that message may come twice, all come.
func TestDrops(t *testing.T) {
	t.Parallel()
	for name, caps := range map[string][]string{"PING": nil, "labels": {"labeled-response", "echo-message", "batch", "message-tags"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := ircd.NewScripted(t, ircd.Script{Caps: caps, DropAt: 5, Drops: 3})
			b := ircd.NewBot(t, quick)
			texts := numbered("drop", 30)
			b.Say(url(s.Addr, "src"), texts...)
			said := s.WaitAll("#src", texts, later)
			wantAll(t, said, texts, 3*unconfirmed)
			if len(said) < 33 {
				t.Errorf("%d sent; each of the 3 at which the connection dropped is to be sent again", len(said))
			}
		})
	}
}

// What is not confirmed is sent again, on another connection if it must be.
func TestSilence(t *testing.T) {
	t.Parallel()
	s := ircd.NewScripted(t, ircd.Script{Silent: true})
	b := ircd.NewBot(t, quick)
	b.Say(url(s.Addr, "src"), "x")
	if got := s.WaitSaid("#src", 1, soon); len(got) != 1 {
		t.Fatal("nothing was sent")
	}
	s.WaitLines("PING", 1)
	s.Change(func(script *ircd.Script) { script.Silent = false })
	if got := s.WaitSaid("#src", 2, later); len(got) < 2 {
		t.Error("it was not sent again")
	}
	if got := s.WaitSaid("#src", 3, soon); len(got) > 2 {
		t.Error("it was sent a third time")
	}
}

// A slow server gets each line once.
func TestSlowPong(t *testing.T) {
	t.Parallel()
	s := ircd.NewScripted(t, ircd.Script{SlowPong: 300 * time.Millisecond})
	b := ircd.NewBot(t, quick)
	texts := numbered("slow", 20)
	b.Say(url(s.Addr, "src"), texts...)
	s.WaitSaid("#src", 20, later)
	b.Say(url(s.Addr, "other"), "end")
	s.WaitSaid("#other", 1, later)
	wantAll(t, s.Said("#src"), texts, 0)
}
