package source

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
	"vext/reminder"
	"vext/spool"
)

// A notice that waits for long is a reason to look.
func TestCheckNotices(t *testing.T) {
	c := config.Default(policy.DefaultBranches)
	state := testkit.State(t)
	at := func(now time.Time) []reminder.Finding {
		var found []reminder.Finding
		for _, f := range Check(queue.New(state, policy.Policy{}, time.UTC, now), c, nil, nil) {
			if f.What == "announcements" {
				found = append(found, f)
			}
		}
		return found
	}
	s := queue.New(state, policy.Policy{}, time.UTC, time.Now()).Spool
	if got := at(time.Now()); len(got) != 0 {
		t.Errorf("where nobody announces: %+v", got)
	}
	if err := s.StartAnnouncing(); err != nil {
		t.Fatal(err)
	}
	if got := at(time.Now()); len(got) != 1 || got[0].Level != reminder.OK {
		t.Errorf("none: %+v", got)
	}
	if _, err := s.PutAll(spool.NewAnnouncement(time.Now(), []byte("{}\n"))); err != nil {
		t.Fatal(err)
	}
	if got := at(time.Now()); len(got) != 1 || got[0].Level != reminder.OK {
		t.Errorf("a new one: %+v", got)
	}
	if got := at(time.Now().Add(time.Hour)); len(got) != 1 || got[0].Level != reminder.Warning || !strings.Contains(got[0].Text, "1 announcement pending") {
		t.Errorf("an old one: %+v", got)
	}
	if err := os.WriteFile(filepath.Join(state, "notices.db.broken-20261120T120000Z"), nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if got := at(time.Now()); len(got) != 2 || got[1].Level != reminder.Warning || !strings.Contains(got[1].Hint, "rm "+state) {
		t.Errorf("a memory that was set aside: %+v", got)
	}
}
