package reminder

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"vext/internal/commit"
	"vext/internal/history"
)

// An inflow returns what it was given, and forgets what was recorded.
type inflow struct {
	catchUp  error
	vanished []history.Event
	alerts   []Alert
}

func (in *inflow) CatchUp(context.Context) error { return in.catchUp }

func (in *inflow) Vanished(_ context.Context, record func([]history.Event) ([]history.Event, error)) (err error) {
	if len(in.vanished) > 0 {
		in.vanished, err = record(in.vanished)
	}
	return err
}

func (in *inflow) Alerts(time.Time) []Alert { return in.alerts }

// The reminder of a commit that a forced update took away says so, and so does
// the list; others do not.
func TestVanished(t *testing.T) {
	s, out := newService(t)
	in := &inflow{}
	s.Sources = in
	put(t, s, "gone@x", "ida@example.org", "MFC after: 1 week")
	put(t, s, "here@x", "ida@example.org", "MFC after: 1 week")
	gone := fmt.Sprintf("%040x", []byte("gone@x"))[:40]
	in.vanished = []history.Event{
		{Kind: history.Vanished, Key: commit.MakeKey("src", gone), Branch: "main", Reason: "a forced update took it off main"},
		{Kind: history.Vanished, Key: commit.MakeKey("src", strings.Repeat("f", 40)), Branch: "main"},
	}
	mustRun(t, s, 0, "2 queued")
	if len(in.vanished) > 0 {
		t.Error("it was not recorded")
	}
	if _, err := s.Queue.History.Scan(func(e *history.Event) {
		if e.Kind == history.Vanished && (e.Address != "ida@example.org" || e.Subject != "subject of gone@x") {
			t.Errorf("of whom and what: %+v", e)
		}
	}); err != nil {
		t.Fatal(err)
	}
	waiting, err := s.Queue.Waiting()
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range waiting {
		if (item.Gone != "") != (item.Name == "gone@x") {
			t.Errorf("%s: %q", item.Name, item.Gone)
		}
	}
	mustRun(t, s, 7, "2 sent")
	for _, m := range out.mails {
		isGone := strings.Contains(string(m.Data), "subject of gone@x")
		if strings.Contains(string(m.Data), "Gone      no longer on main, since a forced update of Fri 20 Nov 2026") != isGone {
			t.Errorf("\n%s", m.Data)
		}
	}
}

// A commit that the repository has again has not vanished.
func TestCameBack(t *testing.T) {
	s, _ := newService(t)
	in := &inflow{}
	s.Sources = in
	put(t, s, "a@x", "ida@example.org", "MFC after: 1 week")
	hash := fmt.Sprintf("%040x", []byte("a@x"))[:40]
	in.vanished = []history.Event{{Kind: history.Vanished, Key: commit.MakeKey("src", hash), Branch: "main", Reason: "gone"}}
	mustRun(t, s, 0, "1 queued")
	c := commit.Commit{
		Source: commit.FromFollow, Repository: "src", Refname: "refs/heads/main", Revision: hash, Message: "s\n\nMFC after: 1 week\n",
		Committer: commit.Person{Email: "ida@example.org"},
	}
	c.ID = c.MadeID()
	if _, err := s.Queue.Spool.Put(c.ID, c.Mail()); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 1, "1 known already")
	if waiting, err := s.Queue.Waiting(); err != nil || len(waiting) != 1 || waiting[0].Gone != "" {
		t.Errorf("%v, %+v", err, waiting)
	}
}

// The operator is notified once of what has failed for a day, and again when it
// begins to fail anew.
func TestAlerts(t *testing.T) {
	s, out := newService(t)
	s.Operator = "op@example.org"
	in := &inflow{alerts: []Alert{{Subject: "src", Location: "https://git.example.org/src.git", Since: now.AddDate(0, 0, -1), Message: "git ls-remote: timed out"}}}
	s.Sources = in
	for range 3 {
		mustRun(t, s, 0, "nothing to do")
	}
	if len(out.mails) != 1 || out.recipients() != "op@example.org" {
		t.Fatalf("notified %q", out.recipients())
	}
	golden(t, "alerts", out.mails[0].Data)
	in.alerts[0].Since = now.AddDate(0, 0, 1)
	mustRun(t, s, 3, "nothing to do")
	in.alerts = append(in.alerts, Alert{Subject: "ports", Since: now})
	mustRun(t, s, 3, "nothing to do")
	if len(out.mails) != 3 {
		t.Errorf("notified %d times", len(out.mails))
	}
}

// What fails as the sources catch up keeps nothing else from being done.
func TestCatchUpFails(t *testing.T) {
	s, out := newService(t)
	s.Sources = &inflow{catchUp: errors.New("no")}
	put(t, s, "a@x", "ida@example.org", "MFC after: 0 days")
	if _, err := at(t, s, 0); err == nil || len(out.mails) != 1 {
		t.Errorf("%v, %d mails", err, len(out.mails))
	}
}
