package xmpp

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"vext/internal/testkit/ircd"
	"vext/internal/testkit/prosody"
)

// vext notify sends to a person and to a room: one message for a text of several lines.
// Without a vext serve it connects by itself. What the server rejects is not kept.
func TestNotify(t *testing.T) {
	t.Parallel()
	for _, isServed := range []bool{true, false} {
		t.Run(fmt.Sprintf("served %v", isServed), func(t *testing.T) {
			t.Parallel()
			dev := prosody.Room{Name: "dev"}
			s, settings := start(t, dev)
			e := listen(t, s, dev)
			b := ircd.NewBot(t, settings)
			if !isServed {
				b.Stop()
			}
			for _, to := range []string{person(reader), room("dev")} {
				if out, status := run(b, "notify", to, "one <&>\ntwo"); status != 0 {
					t.Fatalf("%s: %d\n%s", to, status, out)
				}
			}
			want := []string{prosody.JID(vext) + " chat: one <&>\ntwo", dev.JID() + "/vext groupchat: one <&>\ntwo"}
			if got := e.wait(2); !slices.Equal(got, want) {
				t.Errorf("received %q, want %q", got, want)
			}
			out, status := run(b, "notify", person("nobody"), "x")
			if status == 0 || !strings.Contains(out, "rejected by xmpp:nobody@localhost: ") || !strings.Contains(out, "it is not kept") {
				t.Errorf("nobody: %d\n%s", status, out)
			}
			if out, status := run(b, "notify", "--wait", "10s", room("nowhere")+";password=s3cret", "x"); strings.Contains(out, "s3cret") {
				t.Errorf("nowhere: %d\n%s", status, out)
			}
		})
	}
}

// Without an account, vext notify says what is missing, also when a vext serve runs.
func TestNotifyWithoutAccount(t *testing.T) {
	t.Parallel()
	b := ircd.NewBot(t, "")
	for _, isServed := range []bool{true, false} {
		if !isServed {
			b.Stop()
		}
		if out, status := run(b, "notify", person(reader), "x"); status == 0 || !strings.Contains(out, "[xmpp]") || !strings.Contains(out, "not kept") {
			t.Errorf("served %v: %d\n%s", isServed, status, out)
		}
	}
}

// A commit is announced in a room and to a person, without the colours that IRC gets, and
// a client of irker reaches only what is allowed.
func TestAnnounce(t *testing.T) {
	t.Parallel()
	dev := prosody.Room{Name: "dev"}
	s, settings := start(t, dev)
	e := listen(t, s, dev)
	b := ircd.NewBot(t, "allow = [\""+room("dev")+"\"]\n"+settings+"[[announce]]\ncolors = \"mirc\"\nto = [\""+room("dev")+"\", \""+person(reader)+"\"]\n")
	filter(t, b, commitMail(""))
	got := e.wait(2)
	for _, text := range got {
		if !strings.Contains(text, "foo: fix bar") || strings.ContainsAny(text, "\x02\x03\x0f") {
			t.Errorf("received %q", text)
		}
	}
	c := ircd.Dial(t, b.Irker)
	defer c.Close()
	c.Send(room("dev"), "\x0303from irker", true)
	c.Ack()
	if got := e.wait(3); got[2] != dev.JID()+"/vext groupchat: from irker" {
		t.Errorf("received %q", got)
	}
}

// What is pending while the server is away, or vext is killed, arrives in its order.
func TestServerAway(t *testing.T) {
	t.Parallel()
	dev := prosody.Room{Name: "dev"}
	s, settings := start(t, dev)
	b := ircd.NewBot(t, settings)
	if out, status := run(b, "notify", room("dev"), "first"); status != 0 {
		t.Fatalf("%d\n%s", status, out)
	}
	s.Stop()
	var want []string
	for i := range 5 {
		text := fmt.Sprint("n", i)
		if out, status := run(b, "notify", "--wait", "0", room("dev"), text); status != 0 {
			t.Fatalf("%d\n%s", status, out)
		}
		want = append(want, dev.JID()+"/vext groupchat: "+text)
	}
	b.Kill()
	s.Restart()
	e := listen(t, s, dev)
	b.Start()
	if got := e.wait(5); !slices.Equal(got, want) {
		t.Errorf("received %q, want %q", got, want)
	}
}
