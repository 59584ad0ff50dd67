package xmpp

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"vext/notify"
)

// A text arrives as one message, in order, without colours; a receipt confirms it at once.
func TestPerson(t *testing.T) {
	inTime(t, func(t *testing.T, b *bot) {
		b.persons["jane@example.org"] = &fakePerson{receipts: true}
		b.put(t, jane, "\x0303one\x03\n\n  two\x07\n", "three")
		after(100 * time.Millisecond)
		b.wantTexts(t, "jane@example.org: one\n\n  two", "jane@example.org: three")
		b.wantOutcome(t, "three", "delivered")
		if s := b.transport.Status(b).(*TransportStatus); len(s.Recipients) != 1 || s.Recipients[0].State != "person" || s.Recipients[0].Receipt.IsZero() || s.Recipients[0].Delivered.IsZero() {
			t.Errorf("%+v", s)
		}
	})
}

// Without a receipt, a message was delivered when no error has come for some time: at once
// once that was seen, but for a reminder.
func TestSilence(t *testing.T) {
	inTime(t, func(t *testing.T, b *bot) {
		const other = "xmpp:jane@example.net"
		b.persons["jane@example.net"] = &fakePerson{}
		b.put(t, other, "one")
		after(otherGrace - time.Second)
		b.wantOutcome(t, "one", "pending: ")
		after(2 * time.Second)
		b.wantOutcome(t, "one", "delivered")
		b.put(t, other, "two")
		after(time.Millisecond)
		b.wantOutcome(t, "two", "delivered")
		b.remind(t, other, "three")
		after(otherGrace - time.Second)
		b.wantOutcome(t, "three", "pending: ")
		after(2 * time.Second)
		b.wantOutcome(t, "three", "delivered")
	})
}

// What will not pass by itself bounces after some tries, what is about the message at once,
// and anything else is retried.
func TestPersonErrors(t *testing.T) {
	for condition, want := range map[string]string{
		"item-not-found": "bounced", "forbidden": "bounced", "service-unavailable": "bounced", "not-allowed": "bounced", "gone": "bounced",
		"remote-server-not-found": "bounced", "bad-request": "bounced at once", "jid-malformed": "bounced at once",
		"remote-server-timeout": "pending", "resource-constraint": "pending", "internal-server-error": "pending", "something-new": "pending",
	} {
		t.Run(condition, func(t *testing.T) {
			inTime(t, func(t *testing.T, b *bot) {
				p := &fakePerson{condition: condition, delay: 10 * time.Millisecond}
				b.persons["jane@example.org"] = p
				b.put(t, jane, "one")
				after(100 * time.Millisecond)
				said := (&stanzaError{condition, meanings[condition]}).Error()
				if is := strings.HasPrefix(b.outcome(t, "one"), "bounced: "+said); is != (want == "bounced at once") {
					t.Errorf("soon: %s", b.outcome(t, "one"))
				}
				after(25 * time.Second)
				if is := strings.HasPrefix(b.outcome(t, "one"), "bounced: "+said); is != strings.HasPrefix(want, "bounced") {
					t.Errorf("later: %s", b.outcome(t, "one"))
				}
				if want != "pending" {
					return
				}
				b.wantOutcome(t, "one", "pending: "+said)
				b.change(func() { p.condition = "" })
				after(10 * time.Minute)
				b.wantTexts(t, "jane@example.org: one")
				b.wantOutcome(t, "one", "delivered")
			})
		})
	}
}

// A server that is still starting loses nothing, and the order is kept.
func TestPersonRetried(t *testing.T) {
	inTime(t, func(t *testing.T, b *bot) {
		b.persons["jane@example.org"] = &fakePerson{condition: "service-unavailable", times: 2}
		b.put(t, jane, "one", "two")
		after(time.Minute)
		b.wantTexts(t, "jane@example.org: one", "jane@example.org: two")
	})
}

// An error that comes after the delivery was recorded is a problem that is shown.
func TestLateError(t *testing.T) {
	inTime(t, func(t *testing.T, b *bot) {
		b.persons["jane@example.net"] = &fakePerson{condition: "remote-server-not-found", delay: time.Minute}
		b.put(t, "xmpp:jane@example.net", "one")
		after(2 * time.Minute)
		b.wantOutcome(t, "one", "delivered")
		if got := b.transport.Problem("xmpp:jane@example.net"); !strings.Contains(got, "come back late: the server of the address was not found (remote-server-not-found)") {
			t.Errorf("problem %q", got)
		}
	})
}

// While there is no connection messages stay pending, with the reason, and what is in flight
// is sent again if the server does not have it.
func TestDisconnected(t *testing.T) {
	inTime(t, func(t *testing.T, b *bot) {
		b.persons["jane@example.org"] = &fakePerson{}
		b.rooms["dev@conference.example.org"] = &fakeRoom{isMute: true}
		b.put(t, room, "in flight")
		after(time.Second)
		b.disconnect()
		b.put(t, jane, "later")
		after(time.Hour)
		b.wantOutcome(t, "later", "pending: connection refused")
		b.wantOutcome(t, "in flight", "pending: connection refused")
		b.change(func() { b.rooms["dev@conference.example.org"].isMute = false })
		b.connect()
		after(10 * time.Second)
		b.wantOutcome(t, "later", "delivered")
		b.wantOutcome(t, "in flight", "delivered")
	})
}

// Nobody who writes to us gets an answer, and only the right one can confirm or reject.
func TestStrangers(t *testing.T) {
	inTime(t, func(t *testing.T, b *bot) {
		b.rooms["dev@conference.example.org"] = &fakeRoom{isMute: true}
		b.put(t, room, "one")
		after(time.Second)
		before := len(b.written)
		var id string
		b.transport.all()[0].locked(func() { id = b.transport.all()[0].sent.id })
		for _, m := range []Message{
			{From: "eve@example.org/x", Type: "chat", Body: "hello", Request: true},
			{From: "eve@example.org/x", Type: "error", ID: id, Error: "gone"},
			{From: "dev@conference.example.org/eve", Type: "groupchat", ID: id, Body: "one"},
			{From: "dev@conference.example.org/vext", Type: "groupchat", ID: id, Body: "one", Delayed: true},
			{From: "dev@conference.example.org/vext", Type: "chat", ID: id, Body: "one"},
		} {
			b.message(0, m)
		}
		after(time.Second)
		b.wantOutcome(t, "one", "pending: ")
		if len(b.written) != before {
			t.Errorf("written %q", b.written[before:])
		}
	})
}

// A burst goes at once, the rest at the pace.
func TestPace(t *testing.T) {
	inTime(t, func(t *testing.T, b *bot) {
		b.persons["jane@example.org"] = &fakePerson{receipts: true}
		for i := range 30 {
			b.put(t, jane, fmt.Sprint("n", i))
		}
		after(100 * time.Millisecond)
		if n := len(b.texts()); n != burst {
			t.Errorf("%d at once", n)
		}
		after(2 * time.Second)
		if n := len(b.texts()); n != burst+2*rate {
			t.Errorf("%d after two seconds", n)
		}
		after(time.Minute)
		if n := len(b.texts()); n != 30 {
			t.Errorf("%d in the end", n)
		}
	})
}

// A backlog from while vext was away is one message, but for reminders.
func TestBacklog(t *testing.T) {
	inTime(t, func(t *testing.T, b *bot) {
		b.persons["jane@example.org"] = &fakePerson{receipts: true}
		b.put(t, jane, "first")
		after(time.Second)
		b.disconnect()
		for i := range maxBacklog {
			if err := b.Put(t.Context(), notify.Message{Target: jane, Text: fmt.Sprint("n", i), Project: "src", Commits: 1}); err != nil {
				t.Fatal(err)
			}
		}
		b.remind(t, jane, "reminder")
		after(10 * time.Minute)
		b.connect()
		after(time.Minute)
		b.wantTexts(t, "jane@example.org: first", "jane@example.org: 50 commits to src while I was away: the last was n49", "jane@example.org: reminder")
	})
}

// Without an account nothing is accepted.
func TestNoAccount(t *testing.T) {
	_, _, err := NewTransport(nil).Accept([]notify.Message{{Target: jane, Text: "one"}})
	if !notify.IsPermanent(err) || !strings.Contains(err.Error(), "[xmpp]") {
		t.Error(err)
	}
	if _, to, err := NewTransport(nil).Accept([]notify.Message{{Target: jane}}); err != nil || len(to) != 1 { // to drop its messages
		t.Errorf("%v, %v", to, err)
	}
}

// The password of a room is in no URL.
func TestAccept(t *testing.T) {
	tr := NewTransport(nil)
	tr.Account = account
	m, to, err := tr.Accept([]notify.Message{{Target: room + ";password=s3cret", Text: "a"}, {Target: room, Text: " \x02\n"}, {Target: room, Text: "b"}})
	if err != nil || len(m) != 2 || m[0].Target != room || len(to) != 1 || to[0] != (notify.Recipient{URL: room, Secret: "s3cret"}) {
		t.Errorf("%+v, %+v, %v", m, to, err)
	}
	if _, _, err := tr.Accept([]notify.Message{{Target: "xmpp:jane"}}); err == nil {
		t.Error("an invalid target")
	}
}

// Whatever a text is, it can be sent, in pieces that are not too long.
func FuzzText(f *testing.F) {
	f.Add("\x0303one\x03\r\n\n\ttwo \x00\u202e\uffff\xff", 10)
	f.Fuzz(func(t *testing.T, s string, n int) {
		n = 4 + n&0xff
		got := clean(s)
		if again := clean(got); again != got || !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\x03\r\uffff") {
			t.Errorf("%q: %q, again %q", s, got, again)
		}
		var letters strings.Builder
		for _, piece := range split(got, n) {
			if len(piece) > n || strings.TrimSpace(piece) == "" || !utf8.ValidString(piece) {
				t.Errorf("%q: %q of at most %d bytes", got, piece, n)
			}
			letters.WriteString(piece)
		}
		if a, b := strings.Join(strings.Fields(letters.String()), ""), strings.Join(strings.Fields(got), ""); a != b {
			t.Errorf("%q became %q", b, a)
		}
	})
}

func TestSplit(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", ""}, {"short", "short"}, {"one two three", "one two|three"}, {"one\ntwo three", "one|two three"},
		{"abcdefghijkl", "abcdefghij|kl"}, {"äöüäöüäöü", "äöüäö|üäöü"}, {"one\n\n\n\n\n\n\n\ntwo", "one|two"},
	} {
		if got := strings.Join(split(test.text, 10), "|"); got != test.want {
			t.Errorf("%q: %q, want %q", test.text, got, test.want)
		}
	}
}
