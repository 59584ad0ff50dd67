package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/notify"
	"vext/notify/irc"
	"vext/outbox"
	"vext/queue"
	"vext/reminder"
)

// Whoever settles when a run has the lock does it after a pause, once.
func TestSettleWhen(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	wake := make(chan struct{}, 1)
	wake <- struct{}{}
	var times []time.Time
	const pause = 20 * time.Millisecond
	settleWhen(ctx, wake, pause, slog.New(slog.DiscardHandler), func(context.Context) (reminder.Summary, error) {
		times = append(times, time.Now())
		if len(times) < 3 {
			return reminder.Summary{}, queue.ErrLocked
		}
		time.AfterFunc(5*pause, cancel) // enough for a fourth
		return reminder.Summary{Sent: 1}, nil
	})
	if len(times) != 3 || times[2].Sub(times[0]) < 2*pause {
		t.Errorf("settled at %v", times)
	}
}

// execute executes a command with an app's configuration and state.
func execute(t *testing.T, a *app, now string, args ...string) error {
	args = append(args, "--config", a.configPath, "--state", a.state, "--now", now)
	root := newRoot(a)
	root.SetArgs(args)
	return root.ExecuteContext(t.Context())
}

const waitingKey = "reminder a@example.org 20261120 irc://127.0.0.1:1/#src"

// waitingForIRC returns a state with a reminder, and what else of it is in the
// outbox.
func waitingForIRC(t *testing.T, settings string) (a *app, state string) {
	t.Helper()
	dir := t.TempDir()
	state = filepath.Join(dir, "state")
	const hash = "0123456789abcdef0123456789abcdef01234567"
	for name, text := range map[string]string{
		"vext.toml": settings + "[reminders]\nallow = [\"*@example.org\"]\n[mail]\nfrom = \"mfc@example.org\"\nvia = \"maildir:" + filepath.Join(dir, "mail") + "\"\n" +
			"[[route]]\nto = [\"irc://127.0.0.1:1/src\"]\n",
		"state/queue/20261120/a@example.org": "From: Jane <jane@example.org>\nMessage-ID: <a@example.org>\nX-Git-Repository: src\nX-Git-Refname: refs/heads/main\n\n" +
			"commit " + hash + "\nAuthor: Jane <jane@example.org>\nCommit: Jane <jane@example.org>\nCommitDate: 2026-11-06 09:00:00 +0000\n\n    foo: fix bar\n\n    MFC after: 2 weeks\n",
		"state/history/2026.jsonl": `{"time":"2026-11-06T12:00:00Z","event":"queued","name":"a@example.org","address":"jane@example.org","repository":"src","branch":"main","revision":"` + hash + `","key":"src ` + hash + `","due":"20261120"}` + "\n" +
			`{"time":"2026-11-20T12:00:00Z","event":"handed","name":"a@example.org","address":"jane@example.org","repository":"src","branch":"main","due":"20261120","via":"irc://127.0.0.1:1/#src"}` + "\n",
		"mail/cur/x": "", "mail/new/x": "", "mail/tmp/x": "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	a = &app{
		stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard,
		configPath: filepath.Join(dir, "vext.toml"), state: state, nowFlag: "2026-11-20 13:00", user: "ops",
	}
	return a, state
}

// withLine opens the outbox and puts the line of the reminder into it.
func withLine(t *testing.T, state string) (*irc.Client, *outbox.Outbox) {
	t.Helper()
	client, o, err := openOutbox(state, slog.New(slog.DiscardHandler))
	if err == nil {
		err = o.Put(t.Context(), notify.Message{Target: "irc://127.0.0.1:1/#src", Text: "x", Key: waitingKey, Reminder: true})
	}
	if err != nil {
		t.Fatal(err)
	}
	return client, o
}

func historyOf(t *testing.T, state string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(state, "history", "2026.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// What a person puts off or takes out is taken back from IRC at once, whether a
// vext has the outbox or none does; where it can't be had nothing is said.
func TestTakenBackAtOnce(t *testing.T) {
	for _, test := range []struct {
		args  []string
		asked bool // by the door
		stuck bool // another has the outbox, and no door
		why   string
	}{
		{args: []string{"snooze", "0123", "1", "week"}, why: "it was put off"},
		{args: []string{"cancel", "0123"}, why: "it was cancelled"},
		{args: []string{"snooze", "0123", "1", "week"}, asked: true, why: "it was put off"},
		{args: []string{"cancel", "0123"}, asked: true, why: "it was cancelled"},
		{args: []string{"cancel", "0123"}, stuck: true},
	} {
		a, state := waitingForIRC(t, "")
		_, o := withLine(t, state)
		leave := func() error { return nil }
		switch {
		case test.asked:
			leave = background(t.Context(), func(ctx context.Context) error { return o.Serve(ctx) })
			for _, err := outbox.Dial(state); err != nil; _, err = outbox.Dial(state) {
			}
		case !test.stuck:
			o.Close()
		}
		var complaints strings.Builder
		a.stderr = &complaints
		if err := execute(t, a, "2026-11-20 13:00", test.args...); err != nil || complaints.Len() > 0 {
			t.Errorf("%v: %v, %s", test.args, err, complaints.String())
		}
		if got := historyOf(t, state); strings.Contains(got, `"unsaid"`) == test.stuck || !strings.Contains(got, test.why) {
			t.Errorf("%v: history:\n%s", test.args, got)
		}
		if !test.asked && !test.stuck {
			_, o, _ = openOutbox(state, slog.New(slog.DiscardHandler))
		}
		if waiting, err := o.Pending(t.Context()); len(waiting) > 0 != test.stuck || err != nil {
			t.Errorf("%v: in the outbox: %q, %v", test.args, waiting, err)
		}
		leave()
		o.Close()
	}
}

// Where nobody can speak, because of settings that can't be read or an outbox
// that can't be had, the mail goes after a day; a line that can be taken back is.
func TestMailWithoutOutlet(t *testing.T) {
	for _, test := range []struct {
		name, settings string
		noOutbox       bool
		why            string
	}{
		{"no ca", "[irc]\nca = \"/nonexistent/ca.pem\"\n", false, "it could not be told for a day"},
		{"no outbox", "", true, "it could not be taken back"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, state := waitingForIRC(t, test.settings)
			_, o := withLine(t, state)
			o.Close()
			if test.noOutbox {
				if err := errors.Join(os.Remove(filepath.Join(state, "outbox.db")), os.Mkdir(filepath.Join(state, "outbox.db"), 0o700)); err != nil {
					t.Fatal(err)
				}
			}
			for _, run := range []struct {
				now   string
				mails int
			}{{"2026-11-21 10:00", 0}, {"2026-11-21 12:00", 1}, {"2026-11-23 12:00", 1}} {
				if err := execute(t, a, run.now, "run"); err == nil {
					t.Error("no error")
				}
				mails, _ := filepath.Glob(filepath.Join(filepath.Dir(state), "mail", "new", "*"))
				if len(mails)-1 != run.mails {
					t.Errorf("%s: %d mails", run.now, len(mails)-1)
				}
			}
			if got := historyOf(t, state); !strings.Contains(got, test.why) || strings.Count(got, `"event":"sent"`) != 1 {
				t.Errorf("history:\n%s", got)
			}
			if test.noOutbox {
				return
			}
			_, o, err := openOutbox(state, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer o.Close()
			if waiting, err := o.Pending(t.Context()); len(waiting) > 0 || err != nil {
				t.Errorf("in the outbox: %q, %v", waiting, err)
			}
		})
	}
}

// What was sent by mail meanwhile is not told when a client begins to speak.
func TestTakenBackBeforeSpeaking(t *testing.T) {
	a, state := waitingForIRC(t, "")
	client, o := withLine(t, state)
	defer o.Close()
	line := `{"time":"2026-11-20T12:30:00Z","event":"unsaid","name":"a@example.org","due":"20261120","via":"irc://127.0.0.1:1/#src"}` + "\n"
	f, err := os.OpenFile(filepath.Join(state, "history", "2026.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(line)
		f.Close()
	}
	c, loadErr := a.load()
	if err != nil || loadErr != nil {
		t.Fatal(err, loadErr)
	}
	settings, err := ircSettings(c)
	if err != nil {
		t.Fatal(err)
	}
	dialed := make(chan struct{}, 100)
	client.Settings = settings
	client.Dial = func(ctx context.Context, _, _ string) (conn net.Conn, err error) {
		dialed <- struct{}{}
		return nil, io.EOF
	}
	leave := background(t.Context(), func(ctx context.Context) error { return a.speak(ctx, c, client, o, client.Log) })
	defer leave()
	for {
		waiting, err := o.Pending(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(waiting) == 0 {
			break
		}
		select {
		case <-dialed:
			t.Fatal("connected before the line was taken back")
		case <-t.Context().Done():
			t.Fatal("not taken back")
		default:
		}
	}
}
