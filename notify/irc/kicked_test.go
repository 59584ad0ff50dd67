package irc

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/internal/target"
	"vext/notify"
)

// answerIn lets a server answer to the messages for #src; it takes those for
// which answer returns true.
func (s *server) answerIn(answer func(text string) (answers []string, taken bool)) {
	s.set(func(s *server) {
		s.hook = func(line string) ([]string, bool) {
			text, ok := strings.CutPrefix(line, "PRIVMSG #src :")
			if !ok {
				return nil, false
			}
			answers, taken := answer(text)
			if taken {
				s.messages = append(s.messages, said{to: "#src", text: text})
			}
			return answers, true
		}
	})
}

// receivedIn returns what was taken for #src.
func (s *server) receivedIn() []string {
	var all []string
	for _, m := range s.received() {
		if m.to == "#src" {
			all = append(all, m.text)
		}
	}
	return all
}

// What was done to a channel long ago says nothing of what is refused now.
func TestRefusedLongAfter(t *testing.T) {
	for _, before := range []string{"NOTICE #src :nothing", "MODE #src +b evil!*@*", "KICK #src vext :oops"} {
		inTime(t, nil, func(t *testing.T, s *server, c *bot) {
			c.say(t, "zero")
			time.Sleep(5 * time.Second)
			s.say(":op!o@h " + before)
			time.Sleep(11 * time.Minute)
			refusals := 0
			s.answerIn(func(text string) ([]string, bool) {
				if text == "one" && refusals < 3 {
					refusals++
					return []string{":irc 404 vext #src :No colours"}, false
				}
				return nil, true
			})
			c.say(t, "one", "two", "three")
			time.Sleep(time.Hour)
			if got := s.receivedIn(); counts(got)["one"] != 1 || counts(got)["two"] == 0 || counts(got)["three"] == 0 {
				t.Errorf("after %s: received %q", before, got)
			}
		})
	}
}

// Who is thrown out, and comes back before the PING that confirms
// what was on the wire, loses nothing and says nothing twice.
func TestBackBeforeThePing(t *testing.T) {
	for _, rate := range []float64{1, 2} {
		for _, answers := range [][]string{
			{":op!o@h KICK #src vext :bye", ":irc 404 vext #src :No"},
			{":op!o@h KICK #src vext :bye", ":irc 404 vext #src :No", ":op!o@h INVITE vext #src"},
			{":op!o@h KICK #src vext :bye", ":op!o@h INVITE vext #src", ":irc 404 vext #src :No"},
			{":op!o@h MODE #src +b *!*@*", ":op!o@h KICK #src vext :bye", ":irc 404 vext #src :No"},
		} {
			inTime(t, func(s *Settings) { s.Rate = rate }, func(t *testing.T, s *server, c *bot) {
				c.say(t, "zero")
				c.put(t, "irc://irc.example.org/#busy", "hello")
				time.Sleep(time.Minute)
				isOut, wasOut, joins := false, false, len(s.times())
				s.answerIn(func(text string) ([]string, bool) {
					if isOut && len(s.joins) > joins {
						isOut = false
					}
					switch {
					case text == "two" && !wasOut:
						isOut, wasOut = true, true
						return answers, false
					case isOut:
						return []string{":irc 404 vext #src :No"}, false
					}
					return nil, true
				})
				var all []notify.Message
				for _, text := range []string{"one", "two", "three", "four", "five"} {
					all = append(all, notify.Message{Target: src, Text: text})
				}
				for i := range 40 {
					all = append(all, notify.Message{Target: "irc://irc.example.org/#busy", Text: fmt.Sprint("busy ", i)})
				}
				if err := c.Put(t.Context(), all...); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				if got := s.receivedIn(); !slices.Equal(got[1:], []string{"one", "two", "three", "four", "five"}) {
					t.Errorf("rate %v, %q: received %q", rate, answers, got)
				}
			})
		}
	}
}

// A channel for which there was no place is asked for again, also on the same
// connection.
func TestNoPlaceOnce(t *testing.T) {
	inTime(t, func(s *Settings) { s.Connections = 1 }, func(t *testing.T, s *server, c *bot) {
		c.put(t, "irc://irc.example.org/#a", "a")
		time.Sleep(time.Minute)
		s.set(func(s *server) { s.refuse["JOIN #src"] = "405" })
		c.say(t, "b")
		time.Sleep(time.Hour)
		if s := c.network(t).Channels[1]; s.Backlog != 1 || !s.Retry.After(time.Now()) {
			t.Errorf("%+v", s)
		}
		s.set(func(s *server) { clear(s.refuse) })
		time.Sleep(2 * time.Hour)
		if got := s.texts(); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("received %q", got)
		}
	})
}

// network returns how the only network stands.
func (c *bot) network(t *testing.T) NetworkStatus {
	t.Helper()
	all := c.status()
	if len(all) != 1 {
		t.Fatalf("status %+v", all)
	}
	return all[0]
}

// A channel that a full connection has rejected often does not delay the others.
func TestFullConnection(t *testing.T) {
	now := time.Now()
	c := NewClient()
	c.Now = func() time.Time { return now }
	l := &link{network: &network{client: c}, wakeups: make(chan struct{}, 1)}
	l.network.links = []*link{l}
	first := newRecipient(target.Target{Name: "#first"}, "first")
	often := newRecipient(target.Target{Name: "#often"}, "often")
	often.tries = 5
	l.recipients = []*recipient{newRecipient(target.Target{Name: "#joined"}, "joined"), first, often}
	for _, r := range []*recipient{first, often} {
		l.joinRejected(r, &complaint{command: errTooManyChannels})
	}
	now = first.retry
	l.network.claim(l)
	if len(l.recipients) != 2 || l.recipients[1] != first {
		t.Errorf("the connection has %d channels", len(l.recipients))
	}
}
