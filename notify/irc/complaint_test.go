package irc

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/notify"
)

const jane = "irc://irc.example.org/jane,isnick"

// answerAll lets a server answer each message for a channel or person with lines in
// which %t is the target; it takes the others.
func (s *server) answerAll(lines ...string) {
	s.set(func(s *server) {
		s.hook = func(line string) ([]string, bool) {
			to, text, ok := strings.Cut(strings.TrimPrefix(line, "PRIVMSG "), " :")
			if !ok || !strings.HasPrefix(line, "PRIVMSG ") {
				return nil, false
			}
			s.messages = append(s.messages, said{time.Since(s.began), to, text})
			var all []string
			for _, l := range lines {
				all = append(all, strings.ReplaceAll(l, "%t", to))
			}
			return all, true
		}
	})
}

// What can become of a line.
const (
	isDelivered = "delivered"
	isWaiting   = "waits"
	isRejected  = "rejected"
)

// outcome returns what has become of the line with the key k.
func (c *bot) outcome(t *testing.T) (became, why string) {
	t.Helper()
	all, err := c.Outcomes(t.Context(), "k")
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	switch o := all["k"]; {
	case !o.Delivered.IsZero():
		return isDelivered, ""
	case o.Rejected != "":
		return isRejected, o.Rejected
	default:
		return isWaiting, o.LastError
	}
}

// Whatever a server answers to a message before its PONG, with whatever
// parameters: a line is delivered only when the server did not complain.
func TestAnswers(t *testing.T) {
	for answer, want := range map[string]string{
		// What is no complaint.
		":irc 301 vext %t :gone":                                    isDelivered,
		":irc 717 vext %t :has been informed that you messaged him": isDelivered,
		":irc 900 vext vext!v@h vext :You are logged in":            isDelivered,
		":irc 730 vext :somebody!a@b":                               isDelivered,
		":irc 396 vext host.example.org :is now your host":          isDelivered,
		":irc 329 vext %t 1700000000":                               isDelivered,
		"WARN PRIVMSG SOMETHING :be careful":                        isDelivered,
		"NOTE PRIVMSG SOMETHING :by the way":                        isDelivered,
		":irc NOTICE vext :*** Looking up your hostname":            isDelivered,
		":joe!j@h NOTICE vext :your message was blocked, ha":        isDelivered,
		":irc NOTICE %t :the message was dropped":                   isDelivered, // to all, not to us

		// What can change: the pace, the server, the channel, the person, our account.
		":irc 263 vext PRIVMSG :Please wait a while and try again.":        isWaiting,
		":irc 263 vext :Server load is temporarily too heavy":              isWaiting,
		":irc 400 vext PRIVMSG :Disconnected from upstream network":        isWaiting,
		":irc 401 vext %t :No such nick/channel":                           isWaiting,
		":irc 403 vext %t :No such channel":                                isWaiting,
		":irc 404 vext %t :Cannot send to channel":                         isWaiting,
		":irc 404 vext :Cannot send to channel":                            isWaiting,
		":irc 404 :Cannot send to channel":                                 isWaiting,
		":irc 405 vext %t :You have joined too many channels":              isWaiting,
		":irc 408 vext %t :No colours":                                     isWaiting,
		":irc 437 vext %t :Cannot change nickname while banned":            isWaiting,
		":irc 437 vext :Nick/channel is temporarily unavailable":           isWaiting,
		":irc 439 vext %t :Target change too fast":                         isWaiting,
		":irc 439 vext :Please wait 19 seconds":                            isWaiting,
		":irc 442 vext %t :You're not on that channel":                     isWaiting,
		":irc 470 vext %t ##other :Forwarding to another channel":          isWaiting,
		":irc 471 vext %t :Cannot send (+l)":                               isWaiting,
		":irc 473 vext %t :Cannot send (+i)":                               isWaiting,
		":irc 474 vext %t :Cannot send (+b)":                               isWaiting,
		":irc 475 vext %t :Cannot send (+k)":                               isWaiting,
		":irc 477 vext %t :You need to identify to a registered nick":      isWaiting,
		":irc 482 vext %t :You're not channel operator":                    isWaiting,
		":irc 486 vext %t :You must identify to a registered nick":         isWaiting,
		":irc 489 vext %t :Secure only channel":                            isWaiting,
		":irc 494 vext %t :You cannot send while you are +g":               isWaiting,
		":irc 520 vext %t :Only operators":                                 isWaiting,
		":irc 531 vext %t :You are not permitted to send to this user":     isWaiting,
		":irc 707 vext %t :Targets changing too fast, message dropped":     isWaiting,
		":irc 716 vext %t :is in +g mode (server-side ignore)":             isWaiting,
		":irc 716 vext %t :is in +g mode\n:irc 717 vext %t :has been told": isWaiting,
		"FAIL PRIVMSG RATE_LIMITED %t :You are sending too fast":           isWaiting,
		"FAIL * TEMPORARILY_UNAVAILABLE :Try later":                        isWaiting,
		":irc FAIL PRIVMSG ACCOUNT_REQUIRED :Log in":                       isWaiting,

		// What vext does not know, for a while.
		":irc 402 vext %t :No such server":         isWaiting,
		":irc 416 vext %t :Too many matches":       isWaiting,
		":irc 481 vext :Permission Denied":         isWaiting,
		":irc 499 vext %t :No":                     isWaiting,
		":irc 502 vext :No":                        isWaiting,
		":irc 524 vext %t :No":                     isWaiting,
		":irc 573 vext %t :No":                     isWaiting,
		":irc 742 vext %t x xyz :No":               isWaiting,
		":irc 928 vext %t :No":                     isWaiting,
		":irc 960 vext whatever :No":               isWaiting,
		":irc 979 vext :No":                        isWaiting,
		"FAIL PRIVMSG SOMETHING_NEW what ever :No": isWaiting,
		"FAIL PRIVMSG":                             isWaiting,
		"FAIL *":                                   isWaiting,
		":irc NOTICE vext :*** Message to %t throttled due to flooding":   isWaiting,
		":irc NOTICE vext :Message throttled due to flooding":             isWaiting,
		":irc NOTICE vext :Your message to %t was blocked: spam":          isWaiting,
		":irc NOTICE vext :*** PRIVMSG command not processed, as you are": isWaiting,
		"NOTICE vext :Your message could not be delivered":                isWaiting,
		":irc NOTICE * :Your message to %t couldn't be delivered":         isWaiting,
		":irc NOTICE vext :Blocked your message":                          isWaiting,
		":irc 404 vext %t :No\n:irc 417 vext :No":                         isWaiting,
		":irc 417 vext :No\n:irc 404 vext %t :No":                         isWaiting,
		":irc NOTICE vext :You are sending messages too fast":             isWaiting,

		// What no other try would change.
		":irc 407 vext %t :Duplicate recipients":                        isRejected,
		":irc 411 vext :No recipient given (PRIVMSG)":                   isRejected,
		":irc 412 vext :No text to send":                                isRejected,
		":irc 413 vext %t :No toplevel domain specified":                isRejected,
		":irc 415 vext %t :Bad server mask":                             isRejected,
		":irc 417 vext :Input line was too long":                        isRejected,
		":irc 421 vext PRIVMSG :Unknown command":                        isRejected,
		":irc 461 vext PRIVMSG :Not enough parameters":                  isRejected,
		":irc 936 vext %t word :Your message contained a censored word": isRejected,
		"FAIL PRIVMSG INVALID_UTF8 :Message rejected":                   isRejected,
		"FAIL * INVALID_UTF8 :Message rejected":                         isRejected,
		":irc FAIL PRIVMSG INVALID_UTF8 %t :Message rejected":           isRejected,
	} {
		for _, to := range []string{src, jane} {
			inTime(t, nil, func(t *testing.T, s *server, c *bot) {
				s.answerAll(strings.Split(answer, "\n")...)
				if err := c.Put(t.Context(), notify.Message{Target: to, Text: "hello", Key: "k", Reminder: true}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(9 * time.Second)
				became, why := c.outcome(t)
				if became != want {
					t.Errorf("%s to %s: it is %s, want %s", answer, to, became, want)
				}
				if end := answer[strings.LastIndex(answer, ":")+1:]; want != isDelivered && !strings.Contains(answer, "\n") && strings.Contains(answer, " :") && !strings.Contains(why, strings.TrimPrefix(end, "%t")[len(end)/2:]) {
					t.Errorf("%s: does not say what the server said: %q", answer, why)
				}
				s.answerAll()
				time.Sleep(time.Hour)
				if became, _ := c.outcome(t); became != isDelivered && want != isRejected {
					t.Errorf("%s to %s: an hour after the server's last complaint it is %s", answer, to, became)
				}
			})
		}
	}
}

// An unknown answer is retried, but not for ever; one that can change is.
func TestUnclear(t *testing.T) {
	for answer, want := range map[string]string{
		":irc 573 vext %t :No": isRejected,
		":irc 979 vext :No":    isRejected,
		":irc NOTICE vext :Message throttled due to flooding": isRejected,
		":irc 404 vext %t :No":                                isWaiting,
		":irc 263 vext PRIVMSG :No":                           isWaiting,
	} {
		inTime(t, nil, func(t *testing.T, s *server, c *bot) {
			s.answerAll(answer)
			if err := c.Put(t.Context(), notify.Message{Target: src, Text: "hello", Key: "k", Reminder: true}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			if became, _ := c.outcome(t); became != isWaiting {
				t.Errorf("%s: after an hour it is %s", answer, became)
			}
			time.Sleep(time.Hour)
			if became, why := c.outcome(t); became != want || want == isRejected && (len(s.received()) != maxUnclear || !strings.HasSuffix(why, ", 10 times")) {
				t.Errorf("%s: after two hours it is %s (%s), tried %d times", answer, became, why, len(s.received()))
			}
		})
	}
}

// An error that does not say which of several lines it is about rejects none: all
// are sent again, one by one, and only the one that is at fault is rejected.
func TestRejectedOfSeveral(t *testing.T) {
	for _, answer := range []string{":irc 417 vext :Input line was too long", ":irc 936 vext %t bad :No", "FAIL PRIVMSG INVALID_UTF8 :No"} {
		inTime(t, nil, func(t *testing.T, s *server, c *bot) {
			c.put(t, src, "zero")
			c.put(t, "irc://irc.example.org/#other", "zero")
			time.Sleep(time.Minute)
			s.set(func(s *server) {
				s.hook = func(line string) ([]string, bool) {
					to, text, ok := strings.Cut(strings.TrimPrefix(line, "PRIVMSG "), " :")
					switch {
					case !ok || !strings.HasPrefix(line, "PRIVMSG "):
						return nil, false
					case strings.Contains(text, "bad"):
						return []string{strings.ReplaceAll(answer, "%t", to)}, true
					}
					s.messages = append(s.messages, said{to: to, text: text})
					return nil, true
				}
			})
			var all []notify.Message
			for i := range 6 {
				for _, to := range []string{src, "irc://irc.example.org/#other"} {
					text := fmt.Sprintf("%d", i)
					if i == 2 && to == src {
						text += " bad"
					}
					all = append(all, notify.Message{Target: to, Text: text, Key: to + text})
				}
			}
			if err := c.Put(t.Context(), all...); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Minute)
			for _, l := range all {
				got, err := c.Outcomes(t.Context(), l.Key)
				if err != nil || (got[l.Key].Rejected != "") != strings.Contains(l.Text, "bad") || got[l.Key].Delivered.IsZero() != strings.Contains(l.Text, "bad") {
					t.Errorf("%s: %s: %+v, %v", answer, l.Key, got[l.Key], err)
				}
			}
			for to, want := range map[string][]string{"#src": {"0", "1", "3", "4", "5"}, "#other": {"0", "1", "2", "3", "4", "5"}} {
				var first []string
				for _, m := range s.received()[2:] {
					if m.to == to && !slices.Contains(first, m.text) {
						first = append(first, m.text)
					}
				}
				if !slices.Equal(first, want) {
					t.Errorf("%s: to %s in the order %q", answer, to, first)
				}
			}
			n := c.network(t)
			if i := slices.IndexFunc(n.Channels, func(s ChannelStatus) bool { return s.Name == "#src" }); n.Channels[i].Bounced != 1 || n.Channels[i].LastReason == "" || n.Channels[i].Problem != "" {
				t.Errorf("%+v", n.Channels)
			}
		})
	}
}

// An error that is the answer to another command of ours is not about messages,
// and one to a message is not taken for the answer to another command.
func TestOtherCommands(t *testing.T) {
	for name, test := range map[string]struct {
		welcome string // nick of the welcome: the one wanted is asked for again
		answers map[string]string
		tries   int
		want    string
	}{
		"a nick that is taken": {"vext1", map[string]string{"NICK vext": ":irc 433 vext1 vext :Nickname is already in use"}, 1, isDelivered},
		"a nick for now":       {"vext1", map[string]string{"NICK vext": ":irc 437 vext1 vext :Nick/channel is temporarily unavailable"}, 1, isDelivered},
		"too fast for a nick":  {"vext1", map[string]string{"NICK vext": "FAIL NICK RATE_LIMITED :Too fast"}, 1, isDelivered},
		"a person for now":     {"vext", map[string]string{"PRIVMSG jane :hello": ":irc 437 vext jane :No"}, 2, isDelivered},
		"another channel":      {"vext", map[string]string{"JOIN #shut": ":irc 474 vext #shut :No"}, 1, isDelivered},
		"JOIN by its name":     {"vext", map[string]string{"JOIN #shut": ":irc 263 vext JOIN :Too fast"}, 1, isDelivered},
		"JOIN that FAILs":      {"vext", map[string]string{"JOIN #shut": "FAIL JOIN CHANNEL_RENAMED #shut #open :No"}, 1, isDelivered},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, nil, func(t *testing.T, s *server, c *bot) {
				n := 0
				s.set(func(s *server) {
					s.hook = func(line string) ([]string, bool) {
						command, _, _ := strings.Cut(line, " ")
						switch {
						case command == "USER":
							return []string{":irc 001 " + test.welcome + " :Welcome", ":irc 376 vext :End"}, true
						case strings.HasPrefix(line, "PRIVMSG jane"):
							if n++; n == 1 && test.answers[line] != "" {
								return []string{test.answers[line]}, true
							}
							return nil, true
						case test.answers[line] != "":
							return []string{test.answers[line]}, true
						}
						return nil, false
					}
				})
				c.put(t, "irc://irc.example.org/#src", "x")
				time.Sleep(61 * time.Second)
				all := []notify.Message{{Target: jane, Text: "hello", Key: "k"}}
				if test.answers["JOIN #shut"] != "" {
					all = append(all, notify.Message{Target: "irc://irc.example.org/#shut", Text: "x"})
				}
				if err := c.Put(t.Context(), all...); err != nil {
					t.Fatal(err)
				}
				time.Sleep(90 * time.Second)
				if became, why := c.outcome(t); became != test.want || n != test.tries {
					t.Errorf("it is %s after %d tries: %s", became, n, why)
				}
			})
		})
	}
}

// With labels an error rejects the line with the label, and a notice of the
// server's is no echo.
func TestRejectedByLabel(t *testing.T) {
	for answer, want := range map[string]string{
		"@label=%s FAIL PRIVMSG INVALID_UTF8 :No":                       isRejected,
		"@label=%s :irc 417 vext :No":                                   isRejected,
		"@label=%s :irc 263 vext PRIVMSG :No":                           isWaiting,
		"@label=%s :irc NOTICE vext :Message throttled due to flooding": isWaiting,
		"@label=%s :irc NOTICE vext :Welcome":                           isWaiting,
		"@label=%s :vext!~vext@localhost PRIVMSG #src :hello":           isDelivered,
		"@label=%s :vext!~vext@localhost NOTICE #src :hello":            isDelivered,
		":irc 417 vext :No":                                             isWaiting,
	} {
		inTime(t, nil, func(t *testing.T, s *server, c *bot) {
			s.withLabels(func(label, _, _ string) []string { return []string{strings.ReplaceAll(answer, "%s", label)} })
			if err := c.Put(t.Context(), notify.Message{Target: src, Text: "hello", Key: "k"}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			if became, why := c.outcome(t); became != want {
				t.Errorf("%s: it is %s: %s", answer, became, why)
			}
		})
	}
}
