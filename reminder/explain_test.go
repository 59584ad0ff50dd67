package reminder

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"vext/internal/commit"
	"vext/internal/history"
	"vext/notify"
)

func explaining(t testing.TB) (*Service, *sender) {
	s, out := newService(t)
	s.Explain, s.Operator = true, "Ops <postmaster@example.org>"
	s.Operator = "postmaster@example.org"
	return s, out
}

// to returns the mails to one address.
func (s *sender) to(address string) (mails []*notify.Mail) {
	for _, m := range s.mails {
		if m.Recipient == address {
			mails = append(mails, m)
		}
	}
	return mails
}

// A committer whose trailer can't be understood gets a mail at once, and once. The
// message stays where it is looked for.
func TestExplain(t *testing.T) {
	s, out := explaining(t)
	put(t, s, "a", "Ida Koch <ida@example.org>", "MFC after: when it\n      is tested")
	mustRun(t, s, 0, "1 quarantined, 1 explained")
	mails := out.to("ida@example.org")
	if len(mails) != 1 {
		t.Fatalf("%d mails", len(mails))
	}
	golden(t, "not-understood", mails[0].Data)
	mustRun(t, s, 0, "nothing to do")
	mustRun(t, s, 40, "nothing to do")
	if failures, _ := s.Queue.Quarantined(); len(failures) != 1 || !strings.Contains(failures[0].Reason, "when it is tested") {
		t.Errorf("%+v", failures)
	}
	if m := commit.ReadMail(strings.NewReader(string(mails[0].Data))); m.Ignored == "" {
		t.Error("our own mail is taken for a commit")
	}
	// It can still have its day, and is reminded of then.
	if _, err := s.Queue.Snooze(find(t, s, "a"), mustPeriod(t, "1 week"), "ops"); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 47, "1 sent")
	if mails = out.to("ida@example.org"); len(mails) != 2 || !strings.Contains(string(mails[1].Data), "asked to be reminded:") {
		t.Errorf("the reminder:\n%s", mails[len(mails)-1].Data)
	}
}

// Without an operator the mail says whom to ask, and of a period that is too
// long that it is.
func TestExplainTooLong(t *testing.T) {
	s, out := explaining(t)
	s.Operator = ""
	s.Vext = "vext --config '/home/ida koch/vext.toml'"
	put(t, s, "a", "<ida@example.org>", "Remind after: 11 years")
	mustRun(t, s, 0, "1 quarantined, 1 explained")
	golden(t, "not-understood-too-long", out.mails[0].Data)
}

// The mail says on which host the recipient can use the commands.
func TestExplainOnHost(t *testing.T) {
	s, out := explaining(t)
	s.OnHost = func(address string) bool { return address == "ida@example.org" }
	put(t, s, "a", "<ida@example.org>", "Remind after: 11 years")
	mustRun(t, s, 0, "1 quarantined, 1 explained")
	const want = "all the same, run the line below on host.example.org, with the period that you want.\r\n\r\n    vext snooze"
	if text := string(out.mails[0].Data); !strings.Contains(text, want) {
		t.Errorf("got\n%s\nwant %s", text, want)
	}
}

// Who gets no such mail.
func TestExplainNobody(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, s *Service){
		"switched off":                 func(t *testing.T, s *Service) { s.Explain = false },
		"a stranger":                   func(t *testing.T, s *Service) { s.Queue.Policy.Allow = []string{"*@example.com"} },
		"nobody is allowed":            func(t *testing.T, s *Service) { s.Queue.Policy.Allow = nil },
		"a sender who does not count":  func(t *testing.T, s *Service) { s.Queue.Policy.Senders = []string{"*@example.com"} },
		"a branch that does not count": func(t *testing.T, s *Service) { s.Queue.Policy.Branches = []string{"stable"} },
		"another repository":           func(t *testing.T, s *Service) { s.Queue.Policy.Repositories = []string{"doc"} },
		"a value that asks for nothing": func(t *testing.T, s *Service) {
			put(t, s, "a", "Ida <ida@example.org>", "MFC after: never")
		},
	} {
		s, out := explaining(t)
		put(t, s, "a", "Ida <ida@example.org>", "MFC after: soon")
		if name == "a value that asks for nothing" {
			s, out = explaining(t)
		}
		change(t, s)
		if _, err := at(t, s, 0); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if mails := out.to("ida@example.org"); len(mails) > 0 {
			t.Errorf("%s: got\n%s", name, mails[0].Data)
		}
	}
}

// A commit is explained once however it comes; another person, or another line,
// is another thing, so that a forged mail prevents no explanation.
func TestExplainOnce(t *testing.T) {
	s, out := explaining(t)
	hash := strings.Repeat("ab", 20)
	spool := func(id, who, asks string) {
		t.Helper()
		if _, err := s.Queue.Spool.Put(id, fmt.Appendf(nil, commitMail, id, who, hash, asks)); err != nil {
			t.Fatal(err)
		}
	}
	spool("a", "Ida <ida@example.org>", "MFC after: soon")
	spool("b", "Ida <Ida@Example.org>", "MFC after:  soon")
	mustRun(t, s, 0, "2 quarantined, 1 explained")
	spool("c", "Ida <ida@example.org>", "MFC after:\n      soon")
	mustRun(t, s, 1, "1 quarantined")
	spool("d", "Jane <jane@example.org>", "MFC after: soon")
	spool("e", "Ida <ida@example.org>", "MFC after: later")
	mustRun(t, s, 2, "2 quarantined, 2 explained")
	// What is put back and fails again is not explained again.
	if err := s.Queue.Retry(find(t, s, "a"), "ops"); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 3, "1 quarantined")
	if n := len(out.to("ida@example.org")) + len(out.to("Ida@Example.org")); n != 2 {
		t.Errorf("Ida got %d mails", n)
	}
}

// What can't be sent is sent later, once; a crash before the record sends the
// same mail again under the same Message-ID.
func TestExplainLater(t *testing.T) {
	s, out := explaining(t)
	s.Operator = ""
	put(t, s, "a", "Ida <ida@example.org>", "MFC after: soon")
	down := errors.New("no connection")
	out.fail = func(*notify.Mail) error { return &notify.UnavailableError{Err: down} }
	if sum, err := at(t, s, 0); !errors.Is(err, down) || sum.Quarantined != 1 || sum.Explained != 0 {
		t.Fatalf("%s, %v", sum, err)
	}
	out.fail = func(*notify.Mail) error { return errors.New("greylisted") }
	if _, err := at(t, s, 1); err == nil {
		t.Error("no error")
	}
	out.fail = nil
	s.Queue.Now = now.AddDate(0, 0, 1).Add(time.Minute)
	if sum, err := s.Run(t.Context()); err != nil || sum.InBackoff != 1 {
		t.Errorf("%s, %v: it is not paused", sum, err)
	}
	mustRun(t, s, 2, "1 explained")
	mustRun(t, s, 3, "nothing to do")
	if len(out.mails) != 1 {
		t.Errorf("%d mails", len(out.mails))
	}
}

// An address that the server rejects is not retried.
func TestExplainRefused(t *testing.T) {
	s, out := explaining(t)
	s.Operator = ""
	put(t, s, "a", "Ida <ida@example.org>", "MFC after: soon")
	tries := 0
	out.fail = func(*notify.Mail) error { tries++; return &notify.PermanentError{Err: errors.New("no such user")} }
	mustRun(t, s, 0, "1 quarantined")
	mustRun(t, s, 1, "nothing to do")
	if tries != 1 {
		t.Errorf("tried %d times", tries)
	}
	reasons := ""
	s.Queue.History.Scan(func(e *history.Event) {
		if e.Kind == history.Explained {
			reasons += e.Reason
		}
	})
	if reasons != "not sent: no such user" {
		t.Errorf("reason %q", reasons)
	}
	if failures, _ := s.Queue.Quarantined(); len(failures) != 1 {
		t.Errorf("%+v", failures)
	}
}

// In a digest, and beside reminders, it is a mail of its own.
func TestExplainBesideReminders(t *testing.T) {
	s, out := explaining(t)
	s.Operator, s.Digest = "", true
	for _, id := range []string{"a", "b"} {
		put(t, s, id, "Ida <ida@example.org>", "MFC after: 0 days")
		put(t, s, id+id, "Ida <ida@example.org>", "MFC after: soon")
	}
	steps, err := s.Preview()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, step := range steps {
		if step.Action == "explain" {
			n++
		}
	}
	if n != 2 {
		t.Errorf("a preview says %v", steps)
	}
	mustRun(t, s, 0, "2 queued, 2 sent, 2 quarantined, 2 explained")
	if len(out.mails) != 3 {
		t.Errorf("%d mails", len(out.mails))
	}
	if n := len(entriesOf(t, s)); n != 0 {
		t.Errorf("%d in the queue", n)
	}
}

func entriesOf(t testing.TB, s *Service) []string {
	t.Helper()
	items, err := s.Queue.Waiting()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, item := range items {
		names = append(names, item.Name)
	}
	return names
}
