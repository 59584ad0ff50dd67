package source

import (
	"strings"
	"testing"
	"time"

	"vext/internal/config"
	"vext/internal/testkit"
	"vext/policy"
	"vext/queue"
	"vext/spool"
)

// The day from which on the past is to be imported is that of the push in the
// configured zone, in which --since is read.
func TestCheckIncomplete(t *testing.T) {
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	pushed := time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)
	q := queue.New(testkit.State(t), policy.Policy{}, newYork, pushed.Add(time.Hour))
	q.Spool.Incomplete(spool.IncompletePush{Time: pushed, Repository: "src", Refname: "refs/heads/main", After: strings.Repeat("1", 40)})
	found := ""
	for _, f := range Check(q, config.Default(policy.DefaultBranches), nil, nil) {
		if f.What == "push to src" {
			found = f.Hint
		}
	}
	if !strings.HasSuffix(found, "vext import --repository src --since 2026-11-19") {
		t.Errorf("hint: %q", found)
	}
}
