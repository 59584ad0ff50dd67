package source

import (
	"strings"
	"testing"
	"time"

	"vext/internal/config"
	"vext/internal/testkit"
	"vext/queue"
	"vext/reminder"
)

// A notice that waits for long is a reason to look.
func TestCheckNotices(t *testing.T) {
	c := config.Default(queue.DefaultBranches)
	state := testkit.State(t)
	at := func(now time.Time) []reminder.Finding {
		var found []reminder.Finding
		for _, f := range Check(queue.New(state, queue.Policy{}, time.UTC, now), c, nil, nil) {
			if f.What == "notices" {
				found = append(found, f)
			}
		}
		return found
	}
	s := queue.New(state, queue.Policy{}, time.UTC, time.Now()).Spool
	if got := at(time.Now()); len(got) != 0 {
		t.Errorf("where nobody announces: %+v", got)
	}
	if _, err := s.StartNotices(); err != nil {
		t.Fatal(err)
	}
	if got := at(time.Now()); len(got) != 1 || got[0].Level != reminder.Well {
		t.Errorf("none: %+v", got)
	}
	if err := s.PutNotice([]byte("{}\n")); err != nil {
		t.Fatal(err)
	}
	if got := at(time.Now()); len(got) != 1 || got[0].Level != reminder.Well {
		t.Errorf("a new one: %+v", got)
	}
	if got := at(time.Now().Add(time.Hour)); len(got) != 1 || got[0].Level != reminder.LookAt || !strings.Contains(got[0].Text, "1 notice to be announced") {
		t.Errorf("an old one: %+v", got)
	}
}
