package follow

import (
	"strings"
	"testing"
	"time"

	"vext/health"
	"vext/internal/config"
	"vext/internal/testkit"
	"vext/internal/vcs"
	"vext/internal/weburl"
	"vext/policy"
	"vext/queue"
)

// A checked is a state directory whose repositories are checked.
type checked struct {
	*testing.T
	health.Checker
}

func newChecked(t *testing.T) *checked {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	c := config.Default(nil)
	c.Repositories = []config.Repository{{Name: "widget", URL: weburl.Parse("https://git.example.org/widget.git")}}
	return &checked{t, health.Checker{Queue: queue.New(testkit.State(t), policy.Policy{}, time.UTC, now), Config: c}}
}

// want checks the finding about a repository.
func (c *checked) want(what string, level health.Level, text string) {
	c.Helper()
	for _, f := range Check(&c.Checker, func(*State) ([]string, error) { return nil, nil }) {
		if f.What == what {
			if f.Level != level || !strings.Contains(f.Text+f.Hint, text) {
				c.Errorf("%+v, want %v with %q", f, level, text)
			}
			return
		}
	}
	c.Errorf("no finding about %s", what)
}

// A hook that misses what is pushed is a warning.
func TestCheckHook(t *testing.T) {
	c := newChecked(t)
	now := c.Queue.Now
	store := Hooked(c.Queue.State)
	s, err := store.Register(t.Context(), "w", t.TempDir(), vcs.Git, &Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		missed []time.Time
		want   health.Level
	}{
		{nil, health.OK},
		{[]time.Time{now.Add(-time.Hour)}, health.Warning},
		{[]time.Time{now.Add(-3 * time.Hour)}, health.OK},
		{[]time.Time{now.AddDate(0, 0, -9), now.AddDate(0, 0, -8)}, health.OK},
	} {
		s.LastOK, s.HookRan, s.Missed = now, now.Add(-2*time.Hour), test.missed
		if err := store.Save(s); err != nil {
			t.Fatal(err)
		}
		hint := ""
		if test.want != health.OK {
			hint = UnreliableHint
		}
		c.want("hook w", test.want, hint)
	}
}

// A followed repository that is silent for longer than usual is a warning.
func TestCheckSilenceOfRepository(t *testing.T) {
	c := newChecked(t)
	s := &State{Name: "widget", LastTry: c.Queue.Now, LastOK: c.Queue.Now, Positions: map[string]string{}}
	for i := range 60 {
		s.Arrivals = append(s.Arrivals, c.Queue.Now.AddDate(0, 0, i-89))
	}
	save := func() {
		t.Helper()
		if err := Followed(c.Queue.State).Save(s); err != nil {
			t.Fatal(err)
		}
	}
	save()
	c.want("follow widget", health.Warning, "silent for 30 days")
	c.Config.Repositories[0].MaxSilence = &config.Duration{Duration: 31 * 24 * time.Hour}
	c.want("follow widget", health.OK, "")
	c.Config.Repositories[0].MaxSilence = nil
	s.Arrivals = s.Arrivals[:1]
	save()
	c.want("follow widget", health.OK, "")
}

// With a slow schedule, the last look may be two periods old.
func TestCheckSlowSchedule(t *testing.T) {
	c := newChecked(t)
	c.Config.Follow.Schedule = "0 0 * * 0"
	c.want("follow widget", health.Warning, "not looked at yet")
	for days, level := range map[int]health.Level{6: health.OK, 15: health.Warning} {
		s := &State{Name: "widget", LastTry: c.Queue.Now.AddDate(0, 0, -days), LastOK: c.Queue.Now, Positions: map[string]string{}}
		if err := Followed(c.Queue.State).Save(s); err != nil {
			t.Fatal(err)
		}
		c.want("follow widget", level, "")
	}
}
