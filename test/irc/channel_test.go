package irc

import (
	"fmt"
	"testing"

	"vext/internal/testkit/ircd"
)

// Somebody else is kicked: that is nothing to vext.
func TestKickOfSomebodyElse(t *testing.T) {
	t.Parallel()
	eachServer(t, ircd.Options{}, func(t *testing.T, o ircd.Options) {
		s := ircd.Start(t, o)
		ear := ircd.Record(t, s.Addr, nil, "", "ear", "#src")
		ircd.Record(t, s.Addr, nil, "", "other", "#src")
		b := ircd.NewBot(t, "")
		texts := numbered("kick", 12)
		b.Say(url(s.Addr, "src"), texts...)
		ear.WaitReceived("#src", 2, soon)
		ear.Kick("#src", "other")
		wantAll(t, ear.WaitReceived("#src", 12, soon), texts, 0)
	})
}

// vext is kicked: it comes back once and sends the rest.
func TestKicked(t *testing.T) {
	t.Parallel()
	eachServer(t, ircd.Options{}, func(t *testing.T, o ircd.Options) {
		s := ircd.Start(t, o)
		ear := ircd.Record(t, s.Addr, nil, "", "ear", "#src", "#other")
		b := ircd.NewBot(t, "[irc]\nnick = \"vext\"\n")
		texts := numbered("kicked", 14)
		b.Say(url(s.Addr, "src"), texts...)
		b.Say(url(s.Addr, "other"), "meanwhile")
		ear.WaitReceived("#src", 3, soon)
		ear.Kick("#src", "vext")
		wantAll(t, ear.WaitReceived("#src", 14, later), texts, 0)
		wantAll(t, ear.WaitReceived("#other", 1, soon), []string{"meanwhile"}, 0)
	})
}

// A channel that lets nobody in is shown; when it lets vext in, all is delivered.
func TestClosedChannel(t *testing.T) {
	t.Parallel()
	for _, mode := range []struct{ set, unset, arg string }{
		{"+b", "-b", "*!*@*"}, {"+i", "-i", ""}, {"+k", "-k", "secret"}, {"+l", "-l", "1"},
	} {
		t.Run(mode.set, func(t *testing.T) {
			t.Parallel()
			eachServer(t, ircd.Options{}, func(t *testing.T, o ircd.Options) {
				s := ircd.Start(t, o)
				ear := ircd.Record(t, s.Addr, nil, "", "ear", "#src", "#other")
				ear.Mode("#src", mode.set, mode.arg)
				b := ircd.NewBot(t, quick)
				texts := numbered("closed", 5)
				b.Say(url(s.Addr, "src"), texts...)
				b.Say(url(s.Addr, "other"), texts...)
				wantAll(t, ear.WaitReceived("#other", 5, soon), texts, 0)
				b.Await("#src", `"refused"`)
				if received := ear.Received("#src"); len(received) > 0 {
					t.Fatalf("received %q in a closed channel", ircd.Texts(received))
				}
				arg := mode.arg
				if mode.set == "+l" {
					arg = ""
				}
				ear.Mode("#src", mode.unset, arg)
				wantAll(t, ear.WaitReceived("#src", 5, later), texts, 0)
			})
		})
	}
}

// The key of a channel is in its URL.
func TestChannelKey(t *testing.T) {
	t.Parallel()
	eachServer(t, ircd.Options{}, func(t *testing.T, o ircd.Options) {
		s := ircd.Start(t, o)
		ear := ircd.Record(t, s.Addr, nil, "", "ear", "#src")
		ear.Mode("#src", "+k", "secret")
		b := ircd.NewBot(t, quick)
		b.Say(url(s.Addr, "src?key=secret"), "x")
		wantAll(t, ear.WaitReceived("#src", 1, soon), []string{"x"}, 0)
	})
}

// Every refusal of a JOIN is understood: shown, and retried.
func TestJoinRefused(t *testing.T) {
	t.Parallel()
	for _, numeric := range []int{403, 405, 471, 473, 474, 475, 477} {
		t.Run(fmt.Sprint(numeric), func(t *testing.T) {
			t.Parallel()
			s := ircd.NewScripted(t, ircd.Script{Joins: map[string]int{"#src": numeric}})
			b := ircd.NewBot(t, quick)
			texts := numbered("refused", 5)
			b.Say(url(s.Addr, "src"), texts...)
			b.Say(url(s.Addr, "other"), texts...)
			wantAll(t, s.WaitSaid("#other", 5, soon), texts, 0)
			problem := fmt.Sprint(numeric)
			if numeric == 405 {
				problem = "no connection has room"
			}
			b.Await("#src", problem)
			if said := s.Said("#src"); len(said) > 0 {
				t.Errorf("sent to a channel that was not joined: %q", ircd.Texts(said))
			}
			if joins := len(s.WaitLines("JOIN", 2)); joins > 8 {
				t.Errorf("it tried to join %d times at once", joins)
			}
			s.Change(func(script *ircd.Script) { script.Joins = nil })
			wantAll(t, s.WaitSaid("#src", 5, later), texts, 0)
		})
	}
}
