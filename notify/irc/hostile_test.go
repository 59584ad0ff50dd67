package irc

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/notify"
)

func (c *bot) put(t *testing.T, target, text string) {
	t.Helper()
	if err := c.Put(t.Context(), notify.Message{Target: target, Text: text}); err != nil {
		t.Fatal(err)
	}
}

// counts returns how often each text was taken by a server.
func counts(texts []string) map[string]int {
	n := map[string]int{}
	for _, text := range texts {
		n[text]++
	}
	return n
}

// What no server should say, and some do, ends no connection and no line.
func TestOddLines(t *testing.T) {
	for _, line := range []string{
		"", " ", "x", ":", ": ", ":x", "@", "@a", "@a ", ":a b", ":irc 433", ":irc 433 vext", ":irc 005", "KICK", "KICK #src", "NICK", ":vext!a@b NICK",
		"MODE", "INVITE", "CAP", "CAP * LS", "CAP * ACK", "CAP * LS :", "CAP vext NEW :sasl", "CAP vext DEL :sasl", "BATCH", "BATCH :", "@label=a BATCH +", "@batch=x BATCH -",
		"PONG", ":irc 404", ":irc 404 vext", ":irc 405 vext #src", ":vext JOIN", ":vext!~vext@h JOIN #other", ":irc 396 vext", "AUTHENTICATE +", ":irc 376", "NOTICE", ":irc 437 vext #src :x",
		":irc 005 vext CHANLIMIT=#:0 :x", ":irc 005 vext CHANLIMIT= MAXCHANNELS=-4 NICKLEN=0 NICKLEN=99999999999999999999 LINELEN=-1 CASEMAPPING= :x",
		":irc 005 vext LINELEN=1 NICKLEN=1 :x", "PING :hello", ":" + strings.Repeat("h", 2000) + " NOTICE vext :x",
	} {
		inTime(t, nil, func(t *testing.T, s *server, c *bot) {
			c.say(t, "one")
			time.Sleep(40 * time.Second)
			s.say(line)
			time.Sleep(20 * time.Second)
			c.say(t, "two")
			time.Sleep(3 * time.Minute)
			if got := s.texts(); len(s.dialed()) != 1 || !slices.Equal(got, []string{"one", "two"}) {
				t.Errorf("after %q: %d connections, received %q", line, len(s.dialed()), got)
			}
		})
	}
}

// When the channel is closed to us in the midst none is lost. When we were
// thrown out it is the last lines that were refused, and none is sent twice.
func TestClosedInTheMidst(t *testing.T) {
	for _, change := range []string{"MODE #src +m", "KICK #src vext"} {
		inTime(t, nil, func(t *testing.T, s *server, c *bot) {
			n := 0
			s.hook = func(line string) ([]string, bool) {
				text, ok := strings.CutPrefix(line, "PRIVMSG #src :")
				if !ok {
					return nil, false
				}
				switch n++; {
				case n == 8:
					return []string{":op!o@h " + change, ":irc 404 vext #src :No"}, true
				case n > 8 && n < 14:
					return []string{":irc 404 vext #src :No"}, true
				}
				s.messages = append(s.messages, said{text: text})
				return nil, true
			}
			texts := numbered(30)
			c.say(t, texts...)
			time.Sleep(time.Hour)
			got := s.texts()
			if change[:4] == "MODE" {
				slices.Sort(got)
				got = slices.Compact(got)
			}
			if !slices.Equal(got, texts) {
				t.Errorf("%s: %q", change, got)
			}
		})
	}
}

// A server that refuses some lines for what they say loses none.
func TestRefusedForTheirWords(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *server, c *bot) {
		refusals := 0
		s.hook = func(line string) ([]string, bool) {
			text, ok := strings.CutPrefix(line, "PRIVMSG #src :")
			if ok && strings.Contains(text, "bad") && refusals < 2 {
				refusals++
				return []string{":irc 404 vext #src :No colours"}, true
			}
			if ok {
				s.messages = append(s.messages, said{text: text})
			}
			return nil, ok
		}
		texts := []string{"l1", "l2", "l3 bad", "l4", "l5 bad", "l6"}
		c.say(t, texts...)
		time.Sleep(time.Hour)
		got := counts(s.texts())
		for _, text := range texts {
			if got[text] == 0 {
				t.Errorf("%q is lost", text)
			}
		}
		if c.channel(t).Backlog != 0 {
			t.Errorf("%+v", c.channel(t))
		}
	})
}

// A refusal of many lines at once is one refusal.
func TestFirstPause(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *server, c *bot) {
		c.say(t, "zero")
		time.Sleep(time.Minute)
		s.set(func(s *server) { s.refuse["PRIVMSG #src"] = "404" })
		c.say(t, numbered(16)...)
		time.Sleep(15 * time.Second)
		if pause := time.Until(c.channel(t).Retry); pause > 20*time.Second {
			t.Errorf("the first pause is %s", pause)
		}
	})
}

// What a server says of a message and of a channel, again and again, makes no
// storm of JOINs.
func TestNoStorm(t *testing.T) {
	for _, refuse := range []string{"PRIVMSG #src 403", "PRIVMSG #src 442", "JOIN #src 405", "JOIN #src 475"} {
		inTime(t, nil, func(t *testing.T, s *server, c *bot) {
			command, numeric := refuse[:strings.LastIndexByte(refuse, ' ')], refuse[len(refuse)-3:]
			s.set(func(s *server) { s.refuse[command] = numeric })
			c.put(t, src+"?key=one", "hello")
			c.put(t, src+"?key=two", "hello")
			time.Sleep(10 * time.Minute)
			if n := len(s.times()); n > 25 {
				t.Errorf("%s: %d JOINs in ten minutes", refuse, n)
			}
			if c.channel(t).Backlog != 2 {
				t.Errorf("%s: %+v", refuse, c.channel(t))
			}
		})
	}
}

// A wrong key that somebody names does not shut us out.
func TestWrongKey(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *server, c *bot) {
		s.hook = func(line string) ([]string, bool) {
			if strings.HasPrefix(line, "JOIN") && line != "JOIN #src right" {
				return []string{":irc 475 vext #src :No"}, true
			}
			return nil, false
		}
		c.put(t, src+"?key=wrong", "one")
		time.Sleep(time.Minute)
		c.put(t, src+"?key=right", "two")
		time.Sleep(time.Minute)
		c.put(t, src+"?key=other", "three")
		s.set(func(s *server) { s.conn.Close() })
		time.Sleep(time.Minute)
		c.put(t, src, "four")
		time.Sleep(time.Minute)
		if got := s.texts(); !slices.Equal(got, []string{"one", "two", "three", "four"}) {
			t.Errorf("received %q; %+v", got, c.channel(t))
		}
	})
}

// Two names that are one to the server are one channel.
func TestOneChannelOfTwoNames(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *server, c *bot) {
		in := false
		s.hook = func(line string) ([]string, bool) {
			if !strings.HasPrefix(line, "JOIN") {
				return nil, false
			}
			if in {
				return nil, true // no answer to who is in
			}
			in = true
			return []string{":vext!~vext@localhost JOIN #c["}, true
		}
		c.put(t, "irc://irc.example.org/#c[", "one")
		c.put(t, "irc://irc.example.org/#c{", "two")
		time.Sleep(time.Minute)
		if got := s.texts(); len(got) != 2 {
			t.Errorf("received %q", got)
		}
	})
}

// withLabels lets a server confirm messages by their labels; answer gives its
// answers to one.
func (s *server) withLabels(answer func(label, to, text string) []string) {
	s.set(func(s *server) {
		s.hook = func(line string) ([]string, bool) {
			tag, rest, _ := strings.Cut(line, " ")
			switch {
			case line == "CAP LS 302":
				return []string{":irc CAP * LS * :batch", ":irc CAP * LS :labeled-response echo-message"}, true
			case strings.HasPrefix(line, "CAP REQ :"):
				return []string{":irc CAP * ACK :" + strings.TrimPrefix(line, "CAP REQ :")}, true
			case strings.HasPrefix(line, "USER"):
				return nil, true
			case line == "CAP END":
				return []string{":irc 001 vext :Welcome", ":irc 422 vext :No"}, true
			case strings.HasPrefix(line, "@label="):
				command, text, _ := strings.Cut(rest, " :")
				to := strings.Fields(command)[1]
				s.messages = append(s.messages, said{time.Since(s.began), to, text})
				return answer(strings.TrimPrefix(tag, "@label="), to, text), true
			}
			return nil, false
		}
	})
}

// With labels only the echo confirms, or ACK; of an answer of several lines all
// count, whatever their order.
func TestLabels(t *testing.T) {
	for name, test := range map[string]struct {
		answer    string // %[1]s is the label, %[2]s the target, %[3]s the text
		delivered bool
	}{
		"echo":                {"@label=%[1]s :vext!~vext@localhost PRIVMSG %[2]s :%[3]s", true},
		"ack":                 {"@label=%[1]s :irc ACK", true},
		"error":               {"@label=%[1]s :irc 404 vext %[2]s :No", false},
		"caller-id":           {"@label=%[1]s :irc 716 vext %[2]s :is in +g mode", false},
		"standard reply":      {"@label=%[1]s FAIL PRIVMSG RATE_LIMITED :No", false},
		"away, then the echo": {"@label=%[1]s BATCH +r labeled-response\n@batch=r :irc 301 vext %[2]s :Away\n@batch=r :vext!~vext@localhost PRIVMSG %[2]s :%[3]s\nBATCH -r", true},
		"away alone":          {"@label=%[1]s :irc 301 vext %[2]s :Away", false},
		"echo and error":      {"@label=%[1]s BATCH +r labeled-response\n@batch=r :vext!~vext@localhost PRIVMSG %[2]s :%[3]s\n@batch=r :irc 404 vext %[2]s :No\nBATCH -r", false},
		"another's label":     {"@label=other :vext!~vext@localhost PRIVMSG %[2]s :%[3]s", false},
		"nothing":             {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, nil, func(t *testing.T, s *server, c *bot) {
				s.withLabels(func(label, to, text string) []string {
					return strings.Split(fmt.Sprintf(test.answer, label, to, text), "\n")
				})
				if test.answer == "" {
					s.withLabels(func(string, string, string) []string { return nil })
				}
				c.say(t, "hello")
				time.Sleep(time.Minute)
				got := c.channel(t)
				if (got.Backlog == 0) != test.delivered {
					t.Errorf("%+v", got)
				}
				if !test.delivered && len(s.received()) < 1 {
					t.Error("nothing was said")
				}
			})
		})
	}
}

// A long line of which pieces are confirmed and one is not comes again: none of
// them is taken for another's confirmation.
func TestLostPiece(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *server, c *bot) {
		n := 0
		s.withLabels(func(label, to, text string) []string {
			if n++; n == 3 {
				time.AfterFunc(time.Second, func() { s.set(func(s *server) { s.conn.Close() }) })
				return nil
			}
			return []string{
				fmt.Sprintf("@label=%s BATCH +%d labeled-response", label, n), fmt.Sprintf("@batch=%d :irc 301 vext jane :Away", n),
				fmt.Sprintf("@batch=%d :vext!~vext@localhost PRIVMSG jane :%s", n, text), fmt.Sprintf("BATCH -%d", n),
			}
		})
		c.put(t, "irc://irc.example.org/jane,isnick", strings.Repeat("a", 370)+" "+strings.Repeat("b", 370)+" "+strings.Repeat("c", 370))
		time.Sleep(10 * time.Minute)
		if got := s.received(); len(got) != 6 || got[5].text[0] != 'c' || c.channel(t).Backlog != 0 {
			t.Errorf("%d pieces received, a backlog of %d", len(got), c.channel(t).Backlog)
		}
	})
}

// A server can't make us keep what it says without end, nor be busy with it.
func TestEndless(t *testing.T) {
	inTime(t, nil, func(t *testing.T, s *server, c *bot) {
		s.withLabels(func(label, to, text string) []string { return []string{"@label=" + label + " :irc ACK"} })
		c.say(t, "one")
		time.Sleep(10 * time.Second)
		for i := range 2000 {
			s.say(fmt.Sprintf(":vext!~vext@localhost JOIN #other%d", i))
			s.say(fmt.Sprintf(":irc CAP * LS * :capability%d", i))
		}
		c.say(t, "two")
		time.Sleep(time.Minute)
		if got := s.texts(); !slices.Equal(got, []string{"one", "two"}) {
			t.Errorf("received %q", got)
		}
	})
}
