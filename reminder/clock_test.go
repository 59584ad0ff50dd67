package reminder

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/commit"
	"vext/internal/history"
)

func snooze(t *testing.T, s *Service, id, period string) {
	t.Helper()
	p, err := commit.ParsePeriod(period)
	if err == nil {
		_, err = s.Queue.Snooze(find(t, s, id), p, "ops")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// After one run by a clock that was a year ahead everything goes on: what is
// snoozed then, what is quarantined, and the sign of life.
func TestClockAheadOnce(t *testing.T) {
	s, out := newService(t)
	s.Operator = "ops@example.org"
	put(t, s, "a", "ida@example.org", "MFC after: 1 year")
	mustRun(t, s, 0, "1 queued")
	put(t, s, "soon", "ida@example.org", "MFC after: soon")
	if _, err := at(t, s, 365); err != nil { // a is sent, a year early
		t.Fatal(err)
	}
	s.Queue.Now = now.Add(time.Hour)
	snooze(t, s, "a", "3 weeks")
	put(t, s, "never", "ida@example.org", "MFC after: whenever")
	out.mails = nil
	if _, err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(out.mails) != 1 || !strings.Contains(string(out.mails[0].Data), "whenever") {
		t.Errorf("the operator got %d mails about what was quarantined", len(out.mails))
	}
	out.mails = nil
	at(t, s, 15) // December has begun
	if got := out.recipients(); got != "ops@example.org" {
		t.Errorf("the sign of life: %q", got)
	}
	out.mails = nil
	at(t, s, 22)
	at(t, s, 23)
	if got := out.recipients(); got != "ida@example.org" {
		t.Errorf("what was snoozed: %q", got)
	}
	if files, _ := filepath.Glob(filepath.Join(s.Queue.History.Dir(), "*.jsonl")); len(files) != 2 {
		t.Errorf("files: %v", files)
	}
}

// An earlier version wrote by years. What its clock recorded ahead stands
// behind what came after it, and is understood where that can be known.
func TestClockAheadBefore(t *testing.T) {
	s, out := newService(t)
	put(t, s, "a", "ida@example.org", "MFC after: 2 weeks")
	mustRun(t, s, 0, "1 queued")
	mustRun(t, s, 14, "1 sent")
	snooze(t, s, "a", "2 weeks")
	put(t, s, "soon", "ida@example.org", "MFC after: soon")
	mustRun(t, s, 15, "1 quarantined")
	s.Operator = "ops@example.org"
	// The first run sent, and notified, a year ahead, as the earlier version put it.
	path := filepath.Join(s.Queue.History.Dir(), "2026.jsonl")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var year2026, year2027 strings.Builder
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, `"event":"sent"`) {
			year2027.WriteString(strings.Replace(line, `"time":"2026-`, `"time":"2027-`, 1))
		} else {
			year2026.WriteString(line)
		}
	}
	year2027.WriteString(`{"time":"2027-12-04T12:00:00Z","event":"told","address":"ops@example.org","reason":"set aside"}` + "\n" +
		`{"time":"2027-12-04T12:00:00Z","event":"told","address":"ops@example.org","due":"20271101","reason":"month"}` + "\n")
	err = errors.Join(os.WriteFile(path, []byte(year2026.String()), 0o640), os.Remove(filepath.Join(s.Queue.State, "history.sum")),
		os.WriteFile(filepath.Join(s.Queue.History.Dir(), "2027.jsonl"), []byte(year2027.String()), 0o640))
	if err != nil {
		t.Fatal(err)
	}
	out.mails = nil
	if _, err := at(t, s, 16); err != nil {
		t.Fatal(err)
	}
	if len(out.mails) != 2 {
		t.Errorf("the operator got %d mails, want one of what was quarantined and one of the month", len(out.mails))
	}
	out.mails = nil
	at(t, s, 27)
	at(t, s, 28)
	at(t, s, 29)
	if got := out.recipients(); got != "ida@example.org" {
		t.Errorf("what was snoozed: %q", got)
	}
}

// A history that has lost records sends nothing, says so, and goes on when a
// person says that it is right.
func TestLostHistory(t *testing.T) {
	s, out := newService(t)
	put(t, s, "a", "ida@example.org", "MFC after: 0 days")
	mustRun(t, s, 0, "1 queued, 1 sent")
	path := filepath.Join(s.Queue.History.Dir(), "2026.jsonl")
	data, err := os.ReadFile(path)
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", "ida@example.org", "MFC after: 0 days")
	put(t, s, "b", "ida@example.org", "MFC after: 0 days")
	for day := range 3 {
		sum, err := at(t, s, day)
		if !errors.Is(err, history.ErrLost) || !isHistoryError(err) || sum != (Summary{}) {
			t.Errorf("day %d: %s, %v", day, sum, err)
		}
		if _, err := s.Preview(); !errors.Is(err, history.ErrLost) {
			t.Errorf("preview: %v", err)
		}
	}
	if err := os.WriteFile(path, data, 0o640); err != nil { // from a backup
		t.Fatal(err)
	}
	mustRun(t, s, 3, "1 queued, 1 known already, 1 sent")
	if got := out.recipients(); got != "ida@example.org ida@example.org" {
		t.Errorf("%s", got)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := at(t, s, 4); !errors.Is(err, history.ErrLost) {
		t.Errorf("%v", err)
	}
	if err := os.Remove(filepath.Join(s.Queue.State, "history.sum")); err != nil {
		t.Fatal(err)
	}
	put(t, s, "c", "ida@example.org", "MFC after: 0 days")
	mustRun(t, s, 5, "1 queued, 1 sent")
}

// A forged mail that was sent, and the true commit that comes later, from the
// spool to the mailbox.
func TestForgedThenTrue(t *testing.T) {
	for _, test := range []struct {
		name, to string
		made     time.Time
		want     string
	}{
		{"in the past", "ida@example.org", now.AddDate(-1, 0, 0), "ida@example.org ida@example.org"},
		{"for somebody else", "eve@example.org", now.AddDate(0, 0, -14), "eve@example.org ida@example.org"},
		{"the same", "ida@example.org", now, "ida@example.org"},
	} {
		s, out := newService(t)
		c := commit.Commit{
			ID: "forged@x", Repository: "src", Refname: "refs/heads/main", Revision: strings.Repeat("a", 40), Message: "s\n\nMFC after: 2 weeks\n",
			Committer: commit.Person{Email: test.to}, Date: test.made,
		}
		spool := func() {
			if _, err := s.Queue.Spool.Put(c.ID, c.Mail()); err != nil {
				t.Fatal(err)
			}
		}
		spool()
		at(t, s, 0)
		at(t, s, 13)
		if test.name == "the same" {
			at(t, s, 14)
		}
		c.ID, c.Source, c.Committer.Email, c.Date = "true@x", commit.FromWebhook, "ida@example.org", now
		spool()
		at(t, s, 14)
		c.ID, c.Source = "again@x", commit.FromFollow
		spool()
		at(t, s, 15)
		at(t, s, 40)
		if got := out.recipients(); got != test.want {
			t.Errorf("%s: reminded %s, want %s", test.name, got, test.want)
		}
	}
}

// A crash between the record of a snooze and the move does not send the
// reminder on its old day: the next run finishes the move.
func TestSnoozeCutOff(t *testing.T) {
	s, out := newService(t)
	put(t, s, "a", "ida@example.org", "MFC after: 2 weeks")
	mustRun(t, s, 0, "1 queued")
	e := *find(t, s, "a").Event
	e.Time, e.Kind, e.Due = history.Stamp(s.Queue.Now), history.Snoozed, "20261211"
	if err := s.Queue.History.Append(e); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 14, "nothing to do")
	mustRun(t, s, 20, "nothing to do")
	mustRun(t, s, 21, "1 sent")
	if len(out.mails) != 1 {
		t.Errorf("%d mails", len(out.mails))
	}
}
