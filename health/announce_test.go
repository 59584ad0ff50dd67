package health

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/config"
	"vext/internal/testkit"
	"vext/policy"
	"vext/queue"
	"vext/spool"
)

// An announcement that is pending for long is a warning.
func TestCheckNotices(t *testing.T) {
	c := config.Default(policy.DefaultBranches)
	state := testkit.State(t)
	at := func(now time.Time) []Finding {
		var found []Finding
		for _, f := range (&Checker{Queue: queue.New(state, policy.Policy{}, time.UTC, now), Config: c}).Check(t.Context()) {
			if f.What == "announcements" {
				found = append(found, f)
			}
		}
		return found
	}
	s := queue.New(state, policy.Policy{}, time.UTC, time.Now()).Spool
	if got := at(time.Now()); len(got) != 0 {
		t.Errorf("without a process that announces: %+v", got)
	}
	c.Announce = make([]config.Announce, 1)
	if got := at(time.Now()); len(got) != 1 || got[0].Level != Warning || !strings.Contains(got[0].Hint, "vext serve") {
		t.Errorf("configured, and vext serve never started: %+v", got)
	}
	if err := s.StartAnnouncing(); err != nil {
		t.Fatal(err)
	}
	if got := at(time.Now()); len(got) != 1 || got[0].Level != OK {
		t.Errorf("none: %+v", got)
	}
	if _, err := s.PutAll(spool.NewAnnouncement(time.Now(), []byte("{}\n"))); err != nil {
		t.Fatal(err)
	}
	if got := at(time.Now()); len(got) != 1 || got[0].Level != OK {
		t.Errorf("a new one: %+v", got)
	}
	if got := at(time.Now().Add(time.Hour)); len(got) != 1 || got[0].Level != Warning || !strings.Contains(got[0].Text, "1 announcement pending") {
		t.Errorf("an old one: %+v", got)
	}
	if err := os.WriteFile(filepath.Join(state, "announced.db.damaged-20261120T120000Z"), nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if got := at(time.Now()); len(got) != 2 || got[1].Level != Warning || !strings.Contains(got[1].Hint, "rm "+state) {
		t.Errorf("a quarantined database: %+v", got)
	}
}

// The hint has the day of the push in the configured zone, in which --since is read.
func TestCheckIncomplete(t *testing.T) {
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	pushed := time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)
	q := queue.New(testkit.State(t), policy.Policy{}, newYork, pushed.Add(time.Hour))
	q.Spool.Incomplete(spool.IncompletePush{Time: pushed, Repository: "src", Refname: "refs/heads/main", After: strings.Repeat("1", 40)})
	found := ""
	for _, f := range (&Checker{Queue: q, Config: config.Default(policy.DefaultBranches)}).Check(t.Context()) {
		if f.What == "push to src" {
			found = f.Hint
		}
	}
	if !strings.HasSuffix(found, "vext import --repository src --since 2026-11-19") {
		t.Errorf("hint: %q", found)
	}
}
