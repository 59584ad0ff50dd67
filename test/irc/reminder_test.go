package irc

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit/ircd"
)

// asking is a commit mail whose reminder is due.
const asking = `From: Jane <jane@example.org>
Message-ID: <remind-me@example.org>
Date: Mon, 2 Nov 2026 12:00:00 +0000
Subject: git: 0123456789ab - main - foo: fix bar
X-Git-Repository: src
X-Git-Refname: refs/heads/main
X-Git-Commit: 0123456789abcdef0123456789abcdef01234567
X-Git-Committer: jane

foo: fix bar

MFC after:	1 week
`

// toChannel sends all reminders to a channel.
func toChannel(addr, more string) string {
	return "[[route]]\nto = [" + more + "\"" + url(addr, "src") + "\"]\n"
}

// spool gives a mail to vext-filter.
func spool(t *testing.T, b *ircd.Bot, mail string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(filepath.Dir(b.Vext), "vext-filter"), "-state", b.State)
	cmd.Stdin = strings.NewReader(mail)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("vext-filter: %v\n%s", err, out)
	}
}

// history returns what the history says.
func history(t *testing.T, b *ircd.Bot) string {
	t.Helper()
	var all strings.Builder
	files, _ := filepath.Glob(filepath.Join(b.State, "history", "*.jsonl"))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(data)
	}
	return all.String()
}

// firstRun waits until the run is over with which vext serve begins: it goes by
// the clock, and the tests' own do not.
func firstRun(t *testing.T, b *ircd.Bot) {
	t.Helper()
	eventually(t, "the first run is over", func() bool { return strings.Contains(b.Log(), "msg=waiting") })
}

// mails returns the reminders that went by mail.
func mails(b *ircd.Bot) []string {
	files, _ := filepath.Glob(filepath.Join(b.Dir, "mail", "new", "*"))
	return files
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, isSo func() bool) {
	t.Helper()
	for deadline := time.Now().Add(soon); !isSo(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain until %s", soon, what)
		}
	}
}

// A reminder that is due is sent to the channel, by a vext serve, and recorded as sent
// when the outbox has it. vext show says when the server has confirmed it.
func TestReminder(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]string{"alone": "", "beside the mail": "\"mail\", "} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := ircd.Start(t, ircd.Options{Kind: ircd.Ngircd})
			ear := ircd.Record(t, s.Addr, nil, "", "ear", "#src")
			b := ircd.NewBot(t, toChannel(s.Addr, more))
			firstRun(t, b)
			spool(t, b, asking)
			b.Run("run", "--now", "2026-11-20T12:00:00Z")
			received := ear.WaitReceived("#src", 1, soon)
			if len(received) != 1 || !strings.Contains(received[0].Text, `MFC of 0123456789ab "foo: fix bar" is due`) {
				t.Fatalf("received %q", ircd.Texts(received))
			}
			eventually(t, "it is recorded", func() bool { return strings.Contains(history(t, b), `"event":"sent"`) })
			eventually(t, "it is shown", func() bool { return strings.Contains(b.Run("show", "0123"), url(s.Addr, "#src")+": delivered ") })
			if got := history(t, b); !strings.Contains(got, url(s.Addr, "#src")) || strings.Count(got, `"event":"sent"`) != 1 {
				t.Errorf("the history:\n%s", got)
			}
			b.Run("run", "--now", "2026-11-21T12:00:00Z")
			if n := len(mails(b)); (n == 1) != (more != "") || len(ear.Received("#src")) != 1 {
				t.Errorf("%d mails, received %q", n, ircd.Texts(ear.Received("#src")))
			}
		})
	}
}

// Without a vext serve the run sends it by itself.
func TestReminderByRun(t *testing.T) {
	t.Parallel()
	s := ircd.Start(t, ircd.Options{Kind: ircd.Ngircd})
	ear := ircd.Record(t, s.Addr, nil, "", "ear", "#src")
	b := ircd.NewBot(t, toChannel(s.Addr, ""))
	b.Stop()
	spool(t, b, asking)
	if out := b.Run("run", "--now", "2026-11-20T12:00:00Z"); !strings.Contains(out, "1 sent") {
		t.Errorf("the run says %q", out)
	}
	if received := ear.Received("#src"); len(received) != 1 {
		t.Errorf("received %q", ircd.Texts(received))
	}
}

// When IRC is unreachable for a day the mail goes instead, once, and the line is
// not sent any more.
func TestReminderByMailInstead(t *testing.T) {
	t.Parallel()
	s := ircd.Start(t, ircd.Options{Kind: ircd.Ngircd})
	b := ircd.NewBot(t, toChannel(s.Addr, ""))
	firstRun(t, b)
	s.Kill()
	spool(t, b, asking)
	b.Run("run", "--now", "2026-11-20T12:00:00Z")
	b.Run("run", "--now", "2026-11-20T20:00:00Z")
	if n := len(mails(b)); n != 0 {
		t.Fatalf("%d mails on the first day", n)
	}
	b.Run("run", "--now", "2026-11-21T12:00:00Z")
	if n := len(mails(b)); n != 1 {
		t.Fatalf("%d mails after a day", n)
	}
	s.Again()
	ear := ircd.Record(t, s.Addr, nil, "", "ear", "#src")
	b.Say(url(s.Addr, "src"), "another")
	if received := ircd.Texts(ear.WaitReceived("#src", 1, later)); len(received) != 1 || received[0] != "another" {
		t.Errorf("received %q", received)
	}
	b.Run("run", "--now", "2026-11-22T12:00:00Z")
	if got := history(t, b); len(mails(b)) != 1 || strings.Count(got, `"event":"sent"`) != 1 {
		t.Errorf("%d mails; the history:\n%s", len(mails(b)), got)
	}
}

// What the server rejects permanently goes by mail at once, and not at the next time
// of the schedule: with a vext serve, and by a run without one.
func TestReminderRejected(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]string{"#src": "src", "jane": "jane,isnick"} {
		for _, serves := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, served %v", name, serves), func(t *testing.T) {
				t.Parallel()
				s := ircd.NewScripted(t, ircd.Script{Messages: map[string]int{name: 417}})
				b := ircd.NewBot(t, "[[route]]\nto = [\""+url(s.Addr, target)+"\"]\n")
				if !serves {
					b.Stop()
				}
				spool(t, b, strings.Replace(asking, "2 Nov 2026", "2 Nov 2020", 1))
				out := b.Run("run")
				if !serves && !strings.Contains(out, "1 sent") {
					t.Errorf("the run says %q", out)
				}
				eventually(t, "the mail goes", func() bool { return len(mails(b)) == 1 })
				eventually(t, "it is recorded", func() bool { return strings.Contains(history(t, b), `"event":"sent"`) })
				if got := history(t, b); strings.Count(got, `"event":"sent"`) != 1 || !strings.Contains(got, `"event":"unsaid"`) || !strings.Contains(got, "(417 ") {
					t.Errorf("the history:\n%s", got)
				}
				if said := s.Said(name); len(said) != 1 {
					t.Errorf("said %d times", len(said))
				}
			})
		}
	}
}
