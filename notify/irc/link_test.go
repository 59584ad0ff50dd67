package irc

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/notify"
)

// numbered returns n texts.
func numbered(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("text %03d", i)
	}
	return all
}

// Lines go at the pace, PINGs among them; all are confirmed and gone in the end.
func TestTell(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *server, c *bot) {
		texts := numbered(100)
		c.say(t, texts...)
		time.Sleep(time.Minute)
		if got := s.texts(); !slices.Equal(got, texts) {
			t.Fatalf("%q", got)
		}
		last := s.received()[99].at
		if most := 47500 * time.Millisecond * 11 / 10; last > most {
			t.Errorf("it took %s, which the pace allows in %s", last, most)
		}
		for i := range s.received()[:94] {
			if took := s.received()[i+6].at - s.received()[i].at; took < 500*time.Millisecond {
				t.Errorf("six within %s, from the %dth", took, i)
			}
		}
		if got := c.channel(t); got.Backlog != 0 || got.State != "joined" || got.Delivered.IsZero() {
			t.Errorf("in the end: %+v", got)
		}
	})
}

// A busy channel does not hold up a quiet one.
func TestTurns(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *server, c *bot) {
		c.say(t, numbered(60)...)
		time.Sleep(10 * time.Second)
		if err := c.Put(t.Context(), notify.Message{Target: "irc://irc.example.org/#quiet", Text: "quiet"}); err != nil {
			t.Fatal(err)
		}
		began := time.Since(s.began)
		time.Sleep(time.Minute)
		i := slices.IndexFunc(s.received(), func(m said) bool { return m.to == "#quiet" })
		if i < 0 || s.received()[i].at-began > 3*time.Second {
			t.Errorf("the quiet channel got its line after %v", s.received()[max(i, 0)])
		}
	})
}

// A server that is away is retried with backoff, for ever; then all is
// sent, or summed up.
func TestAway(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *server, c *bot) {
		s.set(func(s *server) { s.isDown = true })
		c.say(t, numbered(50)...)
		time.Sleep(30 * time.Minute)
		s.set(func(s *server) { s.isDown = false })
		time.Sleep(7 * time.Minute)
		if got := s.texts(); len(got) != 50 {
			t.Errorf("%d lines after half an hour", len(got))
		}
		if n := len(s.dialed()); n < 10 || n > 40 {
			t.Errorf("%d attempts in half an hour", n)
		}
		if pause := s.dialed()[len(s.dialed())-1] - s.dialed()[len(s.dialed())-2]; pause < 3*time.Minute || pause > 7*time.Minute {
			t.Errorf("the last pause was %s", pause)
		}
		s.set(func(s *server) { s.isDown = true })
		c.say(t, numbered(51)...)
		time.Sleep(time.Second)
		s.set(func(s *server) { s.isDown = false })
		time.Sleep(10 * time.Minute)
		got := s.texts()
		if want := "51 commits to src while I was away: the last was text 050"; got[len(got)-1] != want || len(got) != 51 {
			t.Errorf("%q", got[50:])
		}
	})
}

// A server that starts again is found before the backlog is one: half a minute
// away, with a line a second, costs nothing.
func TestAwayForAMoment(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *server, c *bot) {
		var texts []string
		for i := range 120 {
			s.set(func(s *server) { s.isDown = i >= 30 && i < 60 })
			texts = append(texts, fmt.Sprintf("text %03d", i))
			c.say(t, texts[i])
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		if got := s.texts(); !slices.Equal(got, texts) {
			t.Errorf("%q", got)
		}
	})
}

// What has waited for more than an hour is summed up however little it is, but
// for reminders.
func TestStale(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *server, c *bot) {
		s.set(func(s *server) { s.isDown = true })
		c.say(t, "one", "two", "three")
		if err := c.Put(t.Context(), notify.Message{Target: src, Text: "merge it", Key: "k", Reminder: true}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		s.set(func(s *server) { s.isDown = false })
		time.Sleep(10 * time.Minute)
		if got, want := s.texts(), []string{"3 commits to src while I was away: the last was three", "merge it"}; !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		outcomes, err := c.Outcomes(t.Context(), "k")
		if err != nil || outcomes["k"].Delivered.IsZero() {
			t.Errorf("the reminder: %+v, %v", outcomes, err)
		}
	})
}

// Every refusal of a JOIN is understood, retried with backoff, shown,
// and costs no line.
func TestJoinRefused(t *testing.T) {
	for command, words := range map[string]string{
		"403": "no such channel", "437": "for now", "471": "full", "473": "invited", "474": "banned", "475": "key", "477": "registered", "489": "TLS",
	} {
		t.Run(command, func(t *testing.T) {
			inTime(t, nil, func(t *testing.T, s *server, c *bot) {
				s.set(func(s *server) { s.refuse["JOIN #src"] = command })
				c.say(t, "text")
				time.Sleep(50 * time.Minute)
				got := c.channel(t)
				if got.State != "refused" || !strings.Contains(got.Problem, words) || got.Backlog != 1 || !got.Retry.After(time.Now()) {
					t.Errorf("%+v", got)
				}
				if since := time.Since(got.Failing); since < 49*time.Minute {
					t.Errorf("failing for %s", since)
				}
				times := s.times()
				if len(times) < 8 || times[7]-times[6] < 5*time.Minute || times[1]-times[0] > time.Minute {
					t.Errorf("tried at %v", times)
				}
				s.set(func(s *server) { delete(s.refuse, "JOIN #src") })
				time.Sleep(time.Hour)
				if got := s.texts(); !slices.Equal(got, []string{"text"}) {
					t.Errorf("received %q", got)
				}
				if got := c.channel(t); got.Problem != "" || got.State != "joined" {
					t.Errorf("in the end: %+v", got)
				}
			})
		})
	}
}

// Who is kicked comes back once after a pause, and after that waits.
func TestKicked(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *server, c *bot) {
		c.say(t, "one")
		time.Sleep(5 * time.Second)
		s.say(":op!o@h KICK #src vext :enough")
		time.Sleep(time.Second)
		c.say(t, "two")
		time.Sleep(5 * time.Second)
		if got := c.channel(t); got.State != "refused" || got.Problem != "kicked by op: enough" {
			t.Errorf("%+v", got)
		}
		time.Sleep(time.Minute)
		s.say(":op!o@h KICK #src vext :enough")
		time.Sleep(time.Second)
		c.say(t, "three")
		time.Sleep(50 * time.Minute)
		if got := s.texts(); !slices.Equal(got, []string{"one", "two"}) {
			t.Errorf("received %q", got)
		}
		time.Sleep(11 * time.Minute)
		if got := s.texts(); !slices.Equal(got, []string{"one", "two", "three"}) || len(s.times()) != 3 {
			t.Errorf("received %q, with %d JOINs", got, len(s.times()))
		}
	})
}

// Who is kicked while lines are on the wire, for the second time, waits all the
// same, and sends those lines then.
func TestKickedWhileSpeaking(t *testing.T) {
	inTime(t, func(s *Settings) { s.Rate = 0 }, func(t *testing.T, s *server, c *bot) {
		c.say(t, "one")
		time.Sleep(time.Second)
		s.say(":op!o@h KICK #src vext :no")
		time.Sleep(time.Minute)
		s.set(func(s *server) { s.refuse["PRIVMSG #src"] = "404" })
		s.say(":op!o@h KICK #src vext :no")
		c.say(t, "two")
		time.Sleep(10 * time.Minute)
		s.set(func(s *server) { clear(s.refuse) })
		if got := c.channel(t); got.Backlog != 1 || got.Problem != "kicked by op: no" || len(s.times()) != 2 {
			t.Errorf("%+v, after %d JOINs", got, len(s.times()))
		}
		time.Sleep(time.Hour)
		if got := c.channel(t); got.Backlog != 0 || got.State != "joined" {
			t.Errorf("%+v", got)
		}
	})
}

// A channel that does not let us speak keeps its lines; a change of its modes
// is an occasion to try.
func TestMayNotSpeak(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *server, c *bot) {
		s.set(func(s *server) { s.refuse["PRIVMSG #src"] = "404" })
		c.say(t, "one", "two")
		time.Sleep(time.Hour)
		if got := c.channel(t); got.Backlog != 2 || !strings.Contains(got.Problem, "may not speak") {
			t.Errorf("%+v", got)
		}
		tries := len(s.received())
		s.set(func(s *server) { delete(s.refuse, "PRIVMSG #src") })
		s.say(":op!o@h MODE #src -m")
		time.Sleep(10 * time.Second)
		if got := s.texts()[tries:]; len(got) == 0 || c.channel(t).Backlog != 0 {
			t.Errorf("received %q", got)
		}
	})
}

// A server that says nothing any more is left, and the lines are sent again.
func TestDeaf(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *server, c *bot) {
		s.set(func(s *server) { s.isDeaf = true })
		c.say(t, "one")
		time.Sleep(20 * time.Second)
		s.set(func(s *server) { s.isDeaf = false })
		time.Sleep(time.Minute)
		if got := s.texts(); !slices.Equal(got, []string{"one", "one"}) || c.channel(t).Backlog != 0 {
			t.Errorf("received %q", got)
		}
		// Without anything to tell it is asked now and then whether it is there.
		s.set(func(s *server) { s.isDeaf = true })
		dials := len(s.dialed())
		time.Sleep(4 * time.Minute)
		if len(s.dialed()) == dials {
			t.Error("a silent server was not left")
		}
	})
}

// More channels than a connection may have are on several.
func TestManyChannels(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *server, c *bot) {
		s.set(func(s *server) { s.welcome = []string{":irc 005 vext CHANLIMIT=#:10 NICKLEN=9 :are supported"} })
		for i := range 25 {
			if err := c.Put(t.Context(), notify.Message{Target: fmt.Sprintf("irc://irc.example.org/#c%d", i), Text: "x"}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		status := c.status()
		if len(status) != 1 || len(status[0].Links) != 3 || len(s.received()) != 25 {
			t.Errorf("%d received; status %+v", len(s.received()), status)
		}
	})
}

// Nothing that a text has in it becomes a command, and what is longer than a
// message may be comes in pieces that fit with the prefix.
func TestWire(t *testing.T) {
	inTime(t, func(s *Settings) { s.Rate = 0 }, func(t *testing.T, s *server, c *bot) {
		c.say(t, "a\rQUIT :b\x00\nJOIN #x", strings.Repeat("€", 300))
		time.Sleep(10 * time.Second)
		got := s.texts()
		if len(got) < 5 || !slices.Equal(got[:3], []string{"a", "QUIT :b", "JOIN #x"}) || strings.Join(got[3:], "") != strings.Repeat("€", 300) {
			t.Errorf("%q", got)
		}
		for _, m := range s.received() {
			if n := len(":vext!~vext@ PRIVMSG #src :\r\n") + 63 + len(m.text); n > 512 {
				t.Errorf("%d bytes", n)
			}
		}
	})
}

// A text of several lines is sent line by line, also to a channel with a key.
func TestSeveralLines(t *testing.T) {
	for key, backlog := range map[string]int{"": 3, "k": 1} {
		inTime(t, nil, func(t *testing.T, s *server, c *bot) {
			s.set(func(s *server) { s.isDown = true })
			if err := c.Put(t.Context(), notify.Message{Target: src, Text: "one\ntwo\n\nthree\n", Key: key}); err != nil {
				t.Fatal(err)
			}
			if got := c.channel(t).Backlog; got != backlog {
				t.Errorf("key %q: a backlog of %d", key, got)
			}
			s.set(func(s *server) { s.isDown = false })
			time.Sleep(time.Minute)
			if got := s.texts(); !slices.Equal(got, []string{"one", "two", "three"}) || c.channel(t).Backlog != 0 {
				t.Errorf("key %q: %q", key, got)
			}
		})
	}
}

// A person who is away gets the line later.
func TestPerson(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *server, c *bot) {
		s.set(func(s *server) { s.refuse["PRIVMSG jane"] = "401" })
		if err := c.Put(t.Context(), notify.Message{Target: "irc://irc.example.org/jane,isnick", Text: "x"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if got := c.channel(t); got.Backlog != 1 || !strings.Contains(got.Problem, "nobody") || got.State != "person" {
			t.Errorf("%+v", got)
		}
		s.set(func(s *server) { clear(s.refuse) })
		time.Sleep(time.Hour)
		if got := c.channel(t); got.Backlog != 0 || got.Problem != "" || len(s.times()) != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// A nick that is taken is not waited for, and got back when it is free.
func TestNick(t *testing.T) {
	s := Default()
	for i, want := range map[int]string{0: "vext", 1: "vext1", 12: "vext12"} {
		if got := s.nick(i, 30); got != want {
			t.Errorf("%d: %s", i, got)
		}
	}
	s.Nick = "vext*bot"
	for most, want := range map[int]string{30: "vext2bot", 7: "vex2bot", 6: "ve2bot"} {
		if got := s.nick(2, most); got != want {
			t.Errorf("of %d: %s", most, got)
		}
	}
}

// Too many targets are refused, the known ones get their lines all the same.
func TestTooManyTargets(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *server, c *bot) {
		c.say(t, "one")
		lines := make([]notify.Message, maxTargets)
		for i := range lines {
			lines[i] = notify.Message{Target: fmt.Sprintf("irc://irc.example.org/#c%d", i)}
		}
		if err := c.Put(t.Context(), lines...); !notify.IsPermanent(err) {
			t.Errorf("%d targets more: %v", len(lines), err)
		}
		c.say(t, "two")
		time.Sleep(time.Minute)
		if got := s.texts(); !slices.Equal(got, []string{"one", "two"}) {
			t.Errorf("received %q", got)
		}
	})
}

// With the settings of a network lines are NOTICEs, and have no colours.
func TestNoticeWithoutColors(t *testing.T) {
	inTime(t, func(s *Settings) { s.Notice, s.NoColors = true, true }, func(t *testing.T, s *server, c *bot) {
		s.set(func(s *server) {
			s.hook = func(line string) ([]string, bool) {
				text, ok := strings.CutPrefix(line, "NOTICE #src :")
				if ok {
					s.messages = append(s.messages, said{text: text})
				}
				return nil, ok
			}
		})
		c.say(t, "\x02src:\x0f \x0303jane\x0f \x1b[1mfix\x1b[0m")
		time.Sleep(time.Minute)
		if got := s.texts(); !slices.Equal(got, []string{"src: jane fix"}) || c.channel(t).Backlog != 0 {
			t.Errorf("received %q", got)
		}
	})
}
