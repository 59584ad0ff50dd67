package reminder

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"vext/internal/commit"
	"vext/internal/history"
	"vext/notify"
)

// asks puts n commits into the spool that came one way and are due at once.
func asks(t *testing.T, s *Service, source, who string, n int) {
	t.Helper()
	for i := range n {
		id := fmt.Sprintf("%s%s%d", source, who[:3], i)
		c := commit.Commit{
			ID: id, Source: source, Repository: "src", Refname: "refs/heads/main", Revision: fmt.Sprintf("%040x", []byte(id))[:40],
			Message: "s\n\nMFC after: 0 days\n", Committer: commit.Person{Email: who}, Date: now,
		}
		if _, err := s.Queue.Spool.Put(id, c.Mail()); err != nil {
			t.Fatal(err)
		}
	}
}

// A recipient gets so many mails a day that anybody can have caused; the others
// are not held up, and the operator is notified once.
func TestMaxPerDay(t *testing.T) {
	s, out := newService(t)
	s.MaxPerDay, s.Operator = 5, "ops@example.org"
	asks(t, s, "", "jane@example.org", 13)
	asks(t, s, "", "JANE@example.org", 1)
	asks(t, s, commit.FromHook, "jane@example.org", 7)
	asks(t, s, commit.FromJSON, "ida@example.org", 2)
	count := func() (jane, ida, operator int) {
		for _, m := range out.mails {
			switch strings.ToLower(m.Recipient) {
			case "jane@example.org":
				jane++
			case "ida@example.org":
				ida++
			default:
				operator++
			}
		}
		out.mails = nil
		return jane, ida, operator
	}
	for i, want := range []struct {
		after     time.Duration
		jane, ida int
		operator  int
	}{
		{0, 5 + 7, 2, 1}, {time.Minute, 0, 0, 0}, {11 * time.Hour, 0, 0, 0}, {13 * time.Hour, 5, 0, 0}, {20 * time.Hour, 0, 0, 0}, {37 * time.Hour, 4, 0, 0}, {61 * time.Hour, 0, 0, 0},
	} {
		s.Queue.Now = now.Add(want.after)
		sum, err := s.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 && (!sum.Empty() || sum.String() != "9 held for tomorrow") {
			t.Errorf("what was held before: %q, and empty is %v", sum, sum.Empty())
		}
		jane, ida, operator := count()
		if jane != want.jane || ida != want.ida || operator != want.operator {
			t.Errorf("run %d: %d for jane, %d for ida, %d for the operator; want %+v", i, jane, ida, operator, want)
		}
		if i == 2 {
			items, err := s.Queue.Waiting()
			if err != nil || len(items) != 9 || items[0].Limit == nil || !strings.Contains(items[0].Limit.Reason, "max_per_day") {
				t.Errorf("%v, %+v", err, items)
			}
		}
	}
	if n := len(eventsOf(t, s, history.Limited)); n != 9+4 {
		t.Errorf("%d records of what was held, and not one a day", n)
	}
}

// A digest is one mail, whatever is in it.
func TestMaxPerDayDigests(t *testing.T) {
	s, out := newService(t)
	s.MaxPerDay, s.Digest = 2, true
	for i, want := range []int{1, 2, 2, 2} {
		s.Queue.Now = now.Add(time.Duration(i) * time.Minute)
		for n := range 3 {
			put(t, s, fmt.Sprintf("m%d.%d", i, n), "jane@example.org", "MFC after: 0 days")
		}
		if _, err := s.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		if len(out.mails) != want {
			t.Errorf("run %d: %d mails, want %d", i, len(out.mails), want)
		}
	}
}

// The count is kept by the history alone: a crash after each mail changes
// nothing.
func TestMaxPerDayAfterCrashes(t *testing.T) {
	s, out := newService(t)
	s.MaxPerDay = 3
	asks(t, s, "", "jane@example.org", 10)
	for range 10 {
		ctx, cancel := context.WithCancel(context.Background())
		out.fail = func(*notify.Mail) error { cancel(); return nil }
		s.Run(ctx)
	}
	if len(out.mails) != 3 {
		t.Errorf("%d mails", len(out.mails))
	}
}

// Tomorrow begins when the day does, where there is no midnight as well.
func TestTomorrow(t *testing.T) {
	for zone, want := range map[string]string{"America/Santiago": "2026-09-06T04:00:00Z", "UTC": "2026-09-06T00:00:00Z", "Asia/Kathmandu": "2026-09-06T18:15:00Z"} {
		s, _ := newService(t)
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		s.Queue.Zone, s.Queue.Now = loc, time.Date(2026, 9, 5, 20, 0, 0, 0, time.UTC)
		if got := s.tomorrow().UTC().Format(time.RFC3339); got != want {
			t.Errorf("%s: %s", zone, got)
		}
	}
}

// A mail that explains a trailer counts by itself: it is never part of a digest.
func TestMaxPerDayExplains(t *testing.T) {
	s, out := newService(t)
	s.MaxPerDay, s.Digest, s.Explain = 3, true, true
	n := 0
	for run := range 3 {
		for range 5 {
			n++
			id := fmt.Sprintf("m%d@x", n)
			c := commit.Commit{
				ID: id, Repository: "src", Refname: "refs/heads/main", Revision: fmt.Sprintf("%040x", n),
				Message: fmt.Sprintf("s\n\nMFC after: soon%d\n", n), Committer: commit.Person{Email: "jane@example.org"}, Date: now,
			}
			if _, err := s.Queue.Spool.Put(id, c.Mail()); err != nil {
				t.Fatal(err)
			}
		}
		s.Queue.Now = now.Add(time.Duration(run) * time.Minute)
		if _, err := s.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if len(out.mails) != 3 {
		t.Errorf("%d mails", len(out.mails))
	}
}
