package server

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

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
	"vext/notify"
	"vext/outbox"
	"vext/queue"
)

const pendingKey = "reminder a@example.org 20261120 irc://127.0.0.1:1/#src"

// pendingForIRC returns a server whose queue has a reminder that is pending for IRC.
func pendingForIRC(t *testing.T, settings string) (s *Server, state string) {
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
	c, err := Load(filepath.Join(dir, "vext.toml"))
	if err != nil {
		t.Fatal(err)
	}
	s = &Server{Config: c, State: state, Log: slog.New(slog.DiscardHandler)}
	s.at("2026-11-20 13:00")
	return s, state
}

// at sets the clock.
func (s *Server) at(now string) {
	t, err := calendar.ParseTime(now, time.UTC)
	if err != nil {
		panic(err)
	}
	s.Now = func() time.Time { return t }
}

// withLine opens the outbox and puts the line of the reminder into it.
func (s *Server) withLine(t *testing.T, state string) *dispatcher {
	t.Helper()
	d, err := s.openDispatcher(state, nil)
	if err == nil {
		err = d.Put(t.Context(), notify.Message{Target: "irc://127.0.0.1:1/#src", Text: "x", Key: pendingKey, Reminder: true})
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func historyOf(t *testing.T, state string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(state, "history", "2026.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The messages of a snoozed or cancelled reminder are dropped at once, through the
// control socket or from the disk. If that fails, nothing is logged.
func TestDropChanged(t *testing.T) {
	for _, test := range []struct {
		cancel bool // else snooze
		asked  bool // through the control socket
		stuck  bool // another process has the outbox, without a control socket
	}{
		{}, {cancel: true}, {asked: true}, {cancel: true, asked: true}, {cancel: true, stuck: true},
	} {
		s, state := pendingForIRC(t, "")
		o := s.withLine(t, state)
		leave := func() error { return nil }
		switch {
		case test.asked:
			leave = background(t.Context(), func(ctx context.Context) error { return o.Serve(ctx) })
			for _, err := outbox.Dial(state); err != nil; _, err = outbox.Dial(state) {
			}
		case !test.stuck:
			o.Close()
		}
		var log strings.Builder
		s.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
		if err := changeReminder(s, test.cancel); err != nil {
			t.Fatal(err)
		}
		if s.DropChanged(t.Context()); log.Len() > 0 {
			t.Errorf("%+v: %s", test, log.String())
		}
		if !test.asked && !test.stuck {
			o, _ = s.openDispatcher(state, nil)
		}
		if waiting, err := o.Pending(t.Context()); len(waiting) > 0 != test.stuck || err != nil {
			t.Errorf("%+v: in the outbox: %q, %v", test, waiting, err)
		}
		leave()
		o.Close()
	}
}

func changeReminder(s *Server, cancel bool) error {
	q, err := s.Queue()
	if err != nil {
		return err
	}
	items, err := q.Find("0123", func(*queue.Item) bool { return true })
	if err != nil {
		return err
	}
	if cancel {
		return q.Cancel(&items[0], "ops")
	}
	week, err := commit.ParseDelay("1 week", q.Today())
	if err != nil {
		return err
	}
	_, err = q.Snooze(&items[0], week, "ops")
	return err
}

// Without a connection, because of unreadable settings or a broken outbox, a mail is
// sent after a day; a message that can be dropped is.
func TestMailWithoutConnection(t *testing.T) {
	for _, test := range []struct {
		name, settings string
		noOutbox       bool
		why            string
	}{
		{"no ca", "[irc]\nca = \"/nonexistent/ca.pem\"\n", false, "it could not be delivered in time"},
		{"no outbox", "", true, "is a directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, state := pendingForIRC(t, test.settings)
			o := s.withLine(t, state)
			o.Close()
			if test.noOutbox {
				if err := errors.Join(os.Remove(filepath.Join(state, "outbox.db")), os.Mkdir(filepath.Join(state, "outbox.db"), 0o700)); err != nil {
					t.Fatal(err)
				}
			}
			for _, run := range []struct {
				now   string
				mails int
			}{{"2026-11-21 10:00", 0}, {"2026-11-21 10:30", 0}, {"2026-11-22 12:00", 1}, {"2026-11-23 12:00", 1}} {
				s.at(run.now)
				q, err := s.Queue()
				if err != nil {
					t.Fatal(err)
				}
				service, err := s.Service(q)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.Run(t.Context(), service); err == nil {
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
			o, err := s.openDispatcher(state, nil)
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

// A message whose mail was sent meanwhile is dropped before a client connects.
func TestDroppedBeforeConnecting(t *testing.T) {
	s, state := pendingForIRC(t, "")
	o := s.withLine(t, state)
	defer o.Close()
	line := `{"time":"2026-11-20T12:30:00Z","event":"unsaid","name":"a@example.org","due":"20261120","via":"irc://127.0.0.1:1/#src"}` + "\n"
	f, err := os.OpenFile(filepath.Join(state, "history", "2026.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(line)
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	settings, err := ircSettings(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	dialed := make(chan struct{}, 100)
	o.irc.Settings = settings
	o.irc.Dial = func(ctx context.Context, _, _ string) (conn net.Conn, err error) {
		dialed <- struct{}{}
		return nil, io.EOF
	}
	leave := background(t.Context(), func(ctx context.Context) error { return s.dispatch(ctx, o) })
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
			t.Fatal("connected before the message was dropped")
		case <-t.Context().Done():
			t.Fatal("not dropped")
		default:
		}
	}
}

// Deliveries returns what has become of each message.
func TestDeliveries(t *testing.T) {
	s, state := pendingForIRC(t, "")
	o := s.withLine(t, state)
	check := func(want string) {
		t.Helper()
		q, err := s.Queue()
		if err != nil {
			t.Fatal(err)
		}
		var events []history.Event
		if _, err := q.History.Scan(func(e *history.Event) { events = append(events, *e) }); err != nil {
			t.Fatal(err)
		}
		got := s.Deliveries(t.Context(), state, events)
		if len(got) != 1 || got[0].Target != "irc://127.0.0.1:1/#src" || strings.TrimSpace(got[0].State+" "+got[0].Reason) != want || got[0].Since.IsZero() == (got[0].State != "bounced") {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	o.Close()
	check("pending")
	for _, test := range []struct {
		result error
		want   string
	}{{nil, "delivered"}, {&notify.PermanentError{Err: errors.New("banned")}, "bounced banned"}} {
		o, err := s.openDispatcher(state, nil)
		if err != nil {
			t.Fatal(err)
		}
		message := notify.Message{Target: "irc://127.0.0.1:1/#src", Text: "x", Key: pendingKey, Reminder: true}
		if err := errors.Join(o.Forget(t.Context(), pendingKey), o.Put(t.Context(), message)); err != nil {
			t.Fatal(err)
		}
		for after := uint64(0); ; {
			claim, err := o.Next(message.Target, after)
			if err != nil {
				t.Fatal(err)
			}
			if claim == nil {
				break
			}
			after = claim.Number
			o.Done(claim, test.result)
		}
		o.Close()
		check(test.want)
	}
}

// A reminder that was pending is mailed when neither the outbox nor a route to IRC is
// left.
func TestMailWithoutRouteAndOutbox(t *testing.T) {
	s, state := pendingForIRC(t, "")
	s.Config.Routes = nil
	done := filepath.Join(state, "history", "done", "20261120")
	sent := strings.ReplaceAll(historyOf(t, state), `"event":"handed"`, `"event":"sent"`)
	err := errors.Join(os.MkdirAll(done, 0o750), os.Rename(filepath.Join(state, "queue", "20261120", "a@example.org"), filepath.Join(done, "a@example.org")),
		os.WriteFile(filepath.Join(state, "history", "2026.jsonl"), []byte(sent), 0o640),
		os.WriteFile(filepath.Join(state, "outbox.pending"), []byte(`["`+pendingKey+`"]`), 0o640))
	if err != nil {
		t.Fatal(err)
	}
	q, err := s.Queue()
	if err != nil {
		t.Fatal(err)
	}
	service, err := s.Service(q)
	if err != nil {
		t.Fatal(err)
	}
	if sum, err := s.Run(t.Context(), service); err != nil || sum.String() != "1 sent another way" {
		t.Errorf("%s, %v", sum.String(), err)
	}
}
