package xmpp

import (
	"slices"
	"strings"
	"testing"

	"vext/internal/testkit/ircd"
	"vext/internal/testkit/prosody"
)

const due = `MFC of 0123456789ab "foo: fix bar" is due`

func route(to ...string) string { return "[[route]]\nto = [\"" + strings.Join(to, "\", \"") + "\"]\n" }

// A reminder goes to a person and to a room, by vext serve and by vext run alone, and
// vext show says when each was delivered.
func TestReminder(t *testing.T) {
	t.Parallel()
	for _, isServed := range []bool{true, false} {
		t.Run(map[bool]string{true: "by vext serve", false: "by vext run"}[isServed], func(t *testing.T) {
			t.Parallel()
			dev := prosody.Room{Name: "dev", Password: "s3 cret"}
			s, settings := start(t, dev)
			e := listen(t, s, dev)
			b := ircd.NewBot(t, settings+route(person(reader), room("dev")+";password=s3%20cret"))
			if !isServed {
				b.Stop()
			} else {
				eventually(t, "the first run is over", func() bool { return strings.Contains(b.Log(), "msg=waiting") })
			}
			filter(t, b, asking)
			if out, status := run(b, "run", "--now", "2026-11-20T12:00:00Z"); status != 0 || !strings.Contains(out, "1 sent") {
				t.Errorf("the run: %d\n%s", status, out)
			}
			got := e.wait(2)
			slices.Sort(got)
			if len(got) != 2 || !strings.HasPrefix(got[0], dev.JID()+"/vext groupchat: ") || !strings.HasPrefix(got[1], prosody.JID(vext)+" chat: ") ||
				!strings.Contains(got[0], due) || !strings.Contains(got[1], due) {
				t.Errorf("received %q", got)
			}
			eventually(t, "it is shown", func() bool {
				out, _ := run(b, "show", "0123")
				return strings.Contains(out, person(reader)+": delivered ") && strings.Contains(out, room("dev")+": delivered ") && !strings.Contains(out, "cret")
			})
			if got := history(t, b); strings.Count(got, `"event":"sent"`) != 1 || strings.Contains(got, "cret") {
				t.Errorf("the history:\n%s", got)
			}
			if len(mails(b)) > 0 {
				t.Error("a mail as well")
			}
		})
	}
}

// A room that does not let us in, and a person who is not there, make the mail go soon.
func TestReminderByMailInstead(t *testing.T) {
	t.Parallel()
	for to, reason := range map[string]string{
		room("dev") + ";password=wrong": "wrong or missing password of the room", room("closed"): "banned from the room", room("own"): "for its members only",
		person("nobody"): "service-unavailable",
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			_, settings := start(t, prosody.Room{Name: "dev", Password: "s3cret"}, prosody.Room{Name: "closed", Outcasts: []string{prosody.JID(vext)}}, prosody.Room{Name: "own", Members: true})
			b := ircd.NewBot(t, settings+route(to))
			filter(t, b, strings.Replace(asking, "2 Nov 2026", "2 Nov 2020", 1))
			if out, status := run(b, "run"); status != 0 {
				t.Errorf("the run: %d\n%s", status, out)
			}
			eventually(t, "the mail goes", func() bool { return len(mails(b)) == 1 })
			eventually(t, "it is recorded", func() bool { return strings.Contains(history(t, b), `"event":"unsaid"`) })
			if got := history(t, b); !strings.Contains(got, reason) || strings.Contains(got, "wrong\"") {
				t.Errorf("the history:\n%s", got)
			}
			if out, _ := run(b, "show", "0123"); !strings.Contains(out, "XMPP delivery failed: ") {
				t.Errorf("vext show:\n%s", out)
			}
		})
	}
}

// vext check, and vext xmpp status, say what is wrong with a room, an account, and files.
func TestStatus(t *testing.T) {
	t.Parallel()
	dev := prosody.Room{Name: "dev", Password: "s3cret"}
	s, settings := start(t, dev)
	b := ircd.NewBot(t, settings+"[[announce]]\nto = [\""+room("dev")+";password=wrong\"]\n")
	eventually(t, "the problem is known", func() bool {
		out, _ := run(b, "xmpp", "status")
		return strings.Contains(out, "romeo@localhost  connected to "+s.Addr) && strings.Contains(out, "refused") && strings.Contains(out, "wrong or missing password")
	})
	if out, status := run(b, "check"); status == 0 || !strings.Contains(out, "wrong or missing password of the room") {
		t.Errorf("vext check: %d\n%s", status, out)
	}
	if out, _ := run(b, "xmpp", "status", "--json"); !strings.Contains(out, `"connected": true`) || strings.Contains(out, "wrong\"") || !strings.Contains(out, `"account": "romeo@localhost"`) {
		t.Errorf("vext xmpp status --json:\n%s", out)
	}
}
