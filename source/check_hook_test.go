package source

import (
	"testing"
	"time"

	"vext/internal/config"
	"vext/internal/testkit"
	"vext/internal/vcs"
	"vext/policy"
	"vext/queue"
	"vext/reminder"
	"vext/source/follow"
	"vext/source/hook"
)

// A hook that misses what is pushed is worth a look.
func TestCheckHook(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name   string
		missed []time.Time
		want   reminder.Level
	}{
		{"none", nil, reminder.OK},
		{"the last push", []time.Time{now.Add(-time.Hour)}, reminder.Warning},
		{"one before the last", []time.Time{now.Add(-3 * time.Hour)}, reminder.OK},
		{"long ago", []time.Time{now.AddDate(0, 0, -9), now.AddDate(0, 0, -8)}, reminder.OK},
	} {
		q := queue.New(testkit.State(t), policy.Policy{}, time.UTC, now)
		store := follow.Hooked(q.State)
		s, err := store.Register(t.Context(), "w", t.TempDir(), vcs.Git, &follow.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s.LastOK, s.HookRan, s.Missed = now, now.Add(-2*time.Hour), test.missed
		if err := store.Save(s); err != nil {
			t.Fatal(err)
		}
		for _, f := range Check(q, config.Default(nil), nil, func(*follow.State) ([]hook.Part, error) { return nil, nil }) {
			if f.What == "hook w" && (f.Level != test.want || (f.Hint == follow.UnreliableHint) != (test.want != reminder.OK)) {
				t.Errorf("%s: %+v", test.name, f)
			}
		}
	}
}
