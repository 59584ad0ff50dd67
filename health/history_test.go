package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/config"
	"vext/internal/history"
	"vext/internal/testkit"
	"vext/notify"
	"vext/policy"
	"vext/queue"
	"vext/reminder"
	"vext/templates"
)

// A transport sends nothing, and fails with err.
type transport struct{ err error }

func (s *transport) Send(context.Context, *notify.Mail) error { return s.err }
func (s *transport) Check(context.Context) error              { return nil }
func (s *transport) Close() error                             { return nil }
func (s *transport) String() string                           { return "test:" }

// A service is one whose findings are checked, at any time.
type service struct {
	*testing.T
	Checker
	reminder *reminder.Service
	mail     *transport
}

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func newService(t *testing.T) *service {
	t.Helper()
	set, err := templates.Load("")
	if err != nil {
		t.Fatal(err)
	}
	from, err := reminder.ParseAddress("mfc@example.org")
	if err != nil {
		t.Fatal(err)
	}
	mail := &transport{}
	q := queue.New(testkit.State(t), policy.Policy{Branches: policy.DefaultBranches, Allow: []string{"*@example.org"}}, time.UTC, noon)
	s := &reminder.Service{Queue: q, Mail: mail, Templates: set, From: from, Envelope: "mfc@example.org", Host: "host.example.org", Log: slog.New(slog.DiscardHandler)}
	return &service{t, Checker{Queue: q, Config: config.Default(nil), Mail: mail, MaxAge: 36 * time.Hour, MaxSilence: 30 * 24 * time.Hour}, s, mail}
}

func (s *service) put(id, period string) {
	s.Helper()
	const mail = "From: ida@example.org\nMessage-ID: <%s>\nX-Git-Repository: src\nX-Git-Refname: refs/heads/main\n\n" +
		"commit %040x\nCommit: ida@example.org\nCommitDate: 2026-11-20 09:00:00 +0000\n\n    subject\n\n    MFC after: %s\n"
	if _, err := s.Queue.Spool.Put(id, fmt.Appendf(nil, mail, id, []byte(id), period)); err != nil {
		s.Fatal(err)
	}
}

// run runs the service at noon of a day after the first.
func (s *service) run(day int) {
	s.Helper()
	s.Queue.Now = noon.AddDate(0, 0, day)
	if _, err := s.reminder.Run(s.Context()); err != nil && s.mail.err == nil {
		s.Fatal(err)
	}
}

// want checks the worst level, and that some finding of that level has these words.
func (s *service) want(level Level, what, text string) {
	s.Helper()
	findings := s.Check(s.Context())
	found := false
	for _, f := range findings {
		found = found || f.Level == level && f.What == what && strings.Contains(f.Text, text)
	}
	if worst, _ := Summary(findings); worst != level || !found {
		s.Errorf("want %v, %s: %s; got %v\n%+v", level, what, text, worst, findings)
	}
}

func TestCheck(t *testing.T) {
	s := newService(t)
	s.want(Warning, "last run", "never")
	s.run(0)
	s.want(OK, "last run", "just now")
	s.Queue.Now = noon.Add(37 * time.Hour)
	s.want(Warning, "last run", "2 days ago")
	s.put("b", "soon")
	s.run(2)
	s.want(Warning, "quarantined", "1 message, 1 not understood")
	items, err := s.Queue.Find("b", nil)
	if err == nil {
		err = s.Queue.Cancel(&items[0], "ops")
	}
	if err != nil {
		t.Fatal(err)
	}
	s.want(OK, "quarantined", "nothing")
	s.run(40)
	s.want(Warning, "last commit", "")
	s.Queue.Policy.Allow = nil
	s.want(Warning, "mail", "nobody may be written to")
	s.Queue.State = filepath.Join(s.Queue.State, "none")
	s.want(Critical, "state directory", "no such file")
}

// An overdue reminder is a warning first, and then critical.
func TestCheckOverdue(t *testing.T) {
	s := newService(t)
	s.mail.err = &notify.UnavailableError{Err: errors.New("connection refused")}
	s.put("a", "1 day")
	for day, level := range []Level{OK, OK, Warning, Warning, Critical} {
		s.run(day)
		text := "1 overdue since"
		if level == OK {
			text = "the next Sat 21 Nov"
		}
		s.want(level, "pending", text)
	}
}

// Reminders that are held until tomorrow have a warning of their own.
func TestCheckHeld(t *testing.T) {
	s := newService(t)
	s.reminder.MaxPerDay = 1
	for i := range 10 {
		s.put(fmt.Sprintf("m%d", i), "0 days")
	}
	s.run(0)
	s.want(Warning, "held", "9 reminders for ida@example.org until tomorrow")
	for _, f := range s.Check(t.Context()) {
		if f.What == "pending" && f.Level != OK {
			t.Errorf("%+v", f)
		}
	}
}

// A run with a clock that was ahead is a warning, until a week after the clock was
// set back.
func TestCheckClock(t *testing.T) {
	s := newService(t)
	s.put("a", "1 year")
	s.run(0)
	s.run(365)
	s.Queue.Now = noon.Add(time.Hour)
	s.want(Warning, "clock", "of the future")
	s.put("b", "3 weeks")
	if _, err := s.reminder.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.want(Warning, "clock", "set back from")
	s.run(15)
	s.want(OK, "last run", "just now")
}

// Lost records of the history are critical.
func TestCheckLostHistory(t *testing.T) {
	s := newService(t)
	s.put("a", "0 days")
	s.run(0)
	if err := os.Remove(filepath.Join(s.Queue.History.Dir(), "2026.jsonl")); err != nil {
		t.Fatal(err)
	}
	s.want(Critical, "history", "missing")
	if !errors.Is(s.Queue.History.Verify(), history.ErrLost) {
		t.Error("the history is not damaged")
	}
}

func TestSummary(t *testing.T) {
	ok, warning, critical := Finding{OK, "a", "b", ""}, Finding{Warning, "c", "d", ""}, Finding{Critical, "e", "f", "g"}
	for want, findings := range map[string][]Finding{
		"OK: 0 checks":                nil,
		"OK: 2 checks":                {ok, ok},
		"WARNING: c: d":               {ok, warning},
		"CRITICAL: e: f (and 2 more)": {warning, critical, ok, critical},
		"WARNING: c: d (and 1 more)":  {warning, ok, warning},
		"CRITICAL: e: f":              {critical},
	} {
		if level, got := Summary(findings); got != want || !strings.HasPrefix(got, level.String()) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
