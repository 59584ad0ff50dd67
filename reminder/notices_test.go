package reminder

import (
	"errors"
	"testing"

	"vext/internal/backport"
	"vext/internal/history"
	"vext/notify"
)

// Of a conflict to come a mail says so before the reminder, once, however often the mail
// fails.
func TestEarly(t *testing.T) {
	s, b, out := withBackports(t)
	s.Early = 3
	for _, id := range []string{"a", "b"} {
		put(t, s, id, "Jane <jane@example.org>", "MFC after: 2 weeks")
		b.SetTarget(hashOf(id), on("stable/15", backport.Target{State: backport.Clean}))
		b.SetTarget(hashOf(id), on("stable/14", backport.Target{State: backport.Clean}))
	}
	b.SetTarget(hashOf("a"), on("stable/14", backport.Target{State: backport.Conflict, Files: []string{"sys/a.c"}}))
	mustRun(t, s, 0, "2 queued")
	mustRun(t, s, 10, "nothing to do")
	out.fail = func(*notify.Mail) error { return errors.New("no") }
	mustRun(t, s, 11, "nothing to do")
	out.fail = nil
	mustRun(t, s, 12, "1 warned of")
	mustRun(t, s, 12, "nothing to do")
	mustRun(t, s, 13, "nothing to do")
	golden(t, "early", out.mails[0].Data)
	mustRun(t, s, 14, "2 sent")
	if e := eventsOf(t, s, history.Warned); len(e) != 1 || e[0].Cause != history.CauseEarly || e[0].Reason != "conflicts on stable/14" {
		t.Errorf("%+v", e)
	}
}

// What a person has called merged is looked for after a week; that it is not there is said
// once.
func TestDoneNotFound(t *testing.T) {
	s, b, out := withBackports(t)
	b.targets = []string{"stable/15"}
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 2 weeks")
	b.SetTarget(hashOf("a"), on("stable/15", backport.Target{State: backport.Clean}))
	mustRun(t, s, 14, "1 queued, 1 sent")
	e := *find(t, s, "a").Event
	e.Time, e.Kind, e.Mark, e.By, e.Reason = s.Queue.Now, history.Marked, history.MarkDone, "jane", ""
	if err := s.Queue.History.Append(e); err != nil {
		t.Fatal(err)
	}
	b.marks = []backport.Mark{{Kind: backport.MarkDone, Who: "jane", Since: s.Queue.Now}}
	mustRunAny(t, s, 15)
	mustRun(t, s, 20, "nothing to do")
	mustRun(t, s, 21, "1 warned of")
	mustRun(t, s, 22, "nothing to do")
	golden(t, "not-found", out.mails[1].Data)
	if len(out.mails) != 2 {
		t.Errorf("%d mails", len(out.mails))
	}
}

func TestParseEarly(t *testing.T) {
	for value, want := range map[string]int{"": 0, "3 days": 3, "1 week": 7, "x": -1, "0 days": -1, "2026-12-24": -1} {
		if got, err := ParseEarly(value); (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: %d, %v", value, got, err)
		}
	}
}
