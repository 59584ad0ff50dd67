package reminder

import (
	"log/slog"
	"strings"
	"testing"

	"vext/internal/backport"
	"vext/internal/calendar"
	"vext/internal/history"
)

func mustRepeat(t testing.TB, s string, most int) Repeat {
	t.Helper()
	r, err := ParseRepeat(s, most)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A reminder comes again in growing distances, until it has come often enough.
func TestRepeat(t *testing.T) {
	s, out := newService(t)
	s.Repeat = mustRepeat(t, "1 week, 2 weeks", 3)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 1 day")
	put(t, s, "b", "Jane <jane@example.org>", "Remind after: 1 day") // not about a merge
	mustRun(t, s, 0, "2 queued")
	for day := 1; day < 80; day++ {
		before := len(out.mails)
		mustRunAny(t, s, day)
		mustRunAny(t, s, day)
		want := map[int]int{1: 2, 8: 1, 22: 1, 36: 1}[day]
		if got := len(out.mails) - before; got != want {
			t.Errorf("day %d: %d mails, want %d", day, got, want)
		}
	}
	keys := map[string]bool{}
	for _, m := range out.mails {
		keys[m.Key] = true
	}
	if len(keys) != len(out.mails) {
		t.Errorf("%d mails have %d keys", len(out.mails), len(keys))
	}
	if e := eventsOf(t, s, history.Repeated); len(e) != 3 || e[0].Due != "20261128" || e[0].Reason != "reminder 2 of at most 4" {
		t.Errorf("%+v", e)
	}
}

// A reminder does not come again after its commit was merged, or it was cancelled or
// snoozed.
func TestRepeatEnds(t *testing.T) {
	s, b, out := withBackports(t)
	s.Repeat = mustRepeat(t, "1 week", 3)
	b.targets = []string{"stable/15"}
	for _, id := range []string{"a", "b", "c"} {
		put(t, s, id, "Jane <jane@example.org>", "MFC after: 1 day")
		b.SetTarget(hashOf(id), on("stable/15", backport.Target{State: backport.Clean}))
	}
	mustRun(t, s, 1, "3 queued, 3 sent")
	if err := s.Queue.Cancel(find(t, s, "b"), "jane"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Queue.Snooze(find(t, s, "c"), mustPeriod(t, "1 month"), "jane"); err != nil {
		t.Fatal(err)
	}
	b.SetTarget(hashOf("a"), on("stable/15", merged))
	mustRun(t, s, 3, "1 merged since")
	mustRun(t, s, 3, "nothing to do")
	mustRun(t, s, 20, "nothing to do")
	mustRun(t, s, 40, "1 sent")
	if len(out.mails) != 4 {
		t.Errorf("%d mails", len(out.mails))
	}
	e := eventsOf(t, s, history.Merged)
	if len(e) != 1 || e[0].Due != "20261121" || e[0].By != "ida" || !strings.HasSuffix(e[0].Reason, "10 days after it was due") {
		t.Errorf("%+v", e)
	}
}

// Wherever the service crashes: each reminder is sent once.
func TestCrashRepeat(t *testing.T) {
	for n, crashed := 1, true; crashed; n++ {
		s, out := newService(t)
		s.Repeat = mustRepeat(t, "1 week", 1)
		put(t, s, "a", "Jane <jane@example.org>", "MFC after: 1 day")
		mustRun(t, s, 1, "1 queued, 1 sent")
		c := &crasher{left: n}
		s.Log = slog.New(c)
		crashed = c.run(t, s, now.AddDate(0, 0, 8))
		s.Log = slog.New(slog.DiscardHandler)
		mustRunAny(t, s, 8)
		mustRunAny(t, s, 30)
		entries, err := s.Queue.Entries(calendar.Day{})
		if err != nil || len(entries) != 0 || len(out.mails) > 3 || len(eventsOf(t, s, history.Sent)) != 2 {
			t.Errorf("crash at step %d: %d in the queue (%v), %d mails", n, len(entries), err, len(out.mails))
		}
	}
}

func TestParseRepeat(t *testing.T) {
	for _, bad := range []string{"x", "1 week,", "3 months", "0 days", "2026-12-01"} {
		if r, err := ParseRepeat(bad, 3); err == nil {
			t.Errorf("%q: %+v", bad, r)
		}
	}
	if r, err := ParseRepeat("", 3); err != nil || len(r.After) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
