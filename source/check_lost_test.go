package source

import (
	"strings"
	"testing"
	"time"

	"vext/internal/config"
	"vext/internal/testkit"
	"vext/policy"
	"vext/queue"
	"vext/reminder"
)

// That datagrams of irker's clients were lost is a reason to look, for a day.
func TestCheckLost(t *testing.T) {
	c := config.Default(policy.DefaultBranches)
	c.Irker.Listen = "127.0.0.1:1"
	state := testkit.State(t)
	at := func(now time.Time) (lost []reminder.Finding) {
		for _, f := range Check(queue.New(state, policy.Policy{}, time.UTC, now), c, nil, nil) {
			if strings.Contains(f.Text, "by UDP were lost") {
				lost = append(lost, f)
			}
		}
		return lost
	}
	if got := at(time.Now()); len(got) != 0 {
		t.Errorf("none was: %+v", got)
	}
	queue.New(state, policy.Policy{}, time.UTC, time.Now()).Spool.Lost(Irker)
	if got := at(time.Now()); len(got) != 1 || got[0].Level != reminder.Warning || got[0].What != "irker" || got[0].Hint == "" {
		t.Errorf("one was: %+v", got)
	}
	if got := at(time.Now().Add(25 * time.Hour)); len(got) != 0 {
		t.Errorf("a day later: %+v", got)
	}
}
