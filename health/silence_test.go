package health

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/calendar"
	"vext/internal/config"
	"vext/internal/testkit"
	"vext/policy"
	"vext/queue"
)

// daysOf returns days with these gaps, repeated.
func daysOf(times int, gaps ...int) []calendar.Day {
	day := calendar.Date(2025, 1, 1)
	days := []calendar.Day{day}
	for range times {
		for _, gap := range gaps {
			day = day.AddDays(gap)
			days = append(days, day)
		}
	}
	return days
}

// The limit of silence follows the rhythm of a source.
func TestAllowed(t *testing.T) {
	week := []int{1, 1, 1, 1, 3}
	for _, test := range []struct {
		name string
		days []calendar.Day
		want int
	}{
		{"never", nil, 0},
		{"one commit ever", daysOf(0), 0},
		{"every day", daysOf(200, 1), 7},
		{"every working day", daysOf(50, week...), 7},
		{"every working day, with holidays once", append(daysOf(20, week...), shifted(daysOf(5, week...), daysOf(20, week...), 16)...), 12},
		{"every working day for some weeks, with holidays", append(daysOf(8, week...), shifted(daysOf(5, week...), daysOf(8, week...), 16)...), 32},
		{"every working day, with long holidays twice a year", append(daysOf(20, week...), shifted(append(daysOf(10, week...), shifted(daysOf(3, week...), daysOf(10, week...), 21)...), daysOf(20, week...), 16)...), 42},
		{"every week", daysOf(40, 7), 14},
		{"every other week", daysOf(20, 14), 28},
		{"every month", daysOf(11, 30, 31), 62},
		{"a release every quarter, with a week of work", daysOf(4, 1, 1, 1, 1, 1, 85), 170},
		{"a daily source that was out of order for 200 days", append(daysOf(30, week...), shifted(daysOf(13, week...), daysOf(30, week...), 200)...), 12},
		{"every half year", daysOf(3, 182), 728},
		{"a week of tests, and no more", daysOf(6, 1), 180},
		{"two commits", daysOf(1, 30), 180},
		{"two commits, far apart", daysOf(1, 400), 4 * learnFrom},
		{"busy long ago, silent for two years, and back", append(daysOf(50, week...), shifted(daysOf(0), daysOf(50, week...), 700)...), 4 * learnFrom},
	} {
		if got := allowed(test.days); got != test.want {
			t.Errorf("%s: %d days, want %d", test.name, got, test.want)
		}
	}
}

// shifted moves days so that they begin gap days after the last of before.
func shifted(days, before []calendar.Day, gap int) []calendar.Day {
	by := before[len(before)-1].AddDays(gap).Sub(days[0])
	var all []calendar.Day
	for _, day := range days {
		all = append(all, day.AddDays(by))
	}
	return all
}

// A source that keeps its rhythm raises no alarm.
func TestAllowedGoesOn(t *testing.T) {
	for name, gaps := range map[string][]int{
		"working days": {1, 1, 1, 1, 3}, "weekly": {7, 7, 6, 8}, "bursts": {1, 1, 2, 40, 1, 3, 35}, "monthly": {28, 33, 30},
		"quarterly": {1, 1, 90}, "rare": {150, 100},
	} {
		days := daysOf(400/len(gaps), gaps...)
		for i := 1; i < len(days); i++ {
			if most, silent := allowed(days[:i]), days[i].Sub(days[i-1]); most > 0 && silent > most {
				t.Errorf("%s: an alarm after %d days, %d of which are allowed", name, silent, most)
			}
		}
	}
}

// A checked is what vext check finds for a configuration and a state directory.
type checked struct {
	t     *testing.T
	state string
	c     *config.Config
	now   time.Time
}

func newChecked(t *testing.T) *checked {
	t.Helper()
	state := testkit.State(t)
	for _, dir := range []string{"history", "tmp", "repositories"} {
		if err := os.Mkdir(filepath.Join(state, dir), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	return &checked{t, state, config.Default(policy.DefaultBranches), time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
}

func (c *checked) queue() *queue.Queue {
	return queue.New(c.state, policy.Policy{}, time.UTC, c.now)
}

// seen records that a source brought commits every day of a hundred, and then none for
// so many days.
func (c *checked) seen(source string, silent int) {
	c.t.Helper()
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintln(&text, c.now.AddDate(0, 0, -silent-99+i).Format("20060102"))
	}
	path := filepath.Join(c.state, "history", strings.TrimSuffix("seen-"+source, "-"))
	if err := os.WriteFile(path, []byte(text.String()), 0o640); err != nil {
		c.t.Fatal(err)
	}
	last := c.now.AddDate(0, 0, -silent)
	if err := os.Chtimes(path, last, last); err != nil {
		c.t.Fatal(err)
	}
}

func (c *checked) check() []Finding {
	return (&Checker{Queue: c.queue(), Config: c.c}).Check(c.t.Context())
}

// want checks the finding about a source.
func (c *checked) want(what string, level Level, text string) {
	c.t.Helper()
	for _, f := range c.check() {
		if f.What == what && f.Level == level && strings.Contains(f.Text, text) {
			return
		} else if f.What == what {
			c.t.Errorf("%+v, want %v with %q", f, level, text)
			return
		}
	}
	c.t.Errorf("no finding about %s", what)
}

// A silent source is a warning while others go on, unless max_silence allows it.
func TestCheckSilence(t *testing.T) {
	c := newChecked(t)
	c.c.Hooks = []config.Hook{{Name: "a", Secret: "x"}, {Name: "b", Secret: "x"}}
	c.seen("webhook-a", 300)
	c.seen("webhook-b", 2)
	c.seen("", 300)
	c.want("webhook a", Warning, "silent for 300 days, and never before for more than 1 day")
	c.want("webhook b", OK, "last commit")
	c.want("vext-filter", Warning, "silent for 300 days")
	silence := func(text string) *config.Duration {
		s := new(config.Duration)
		if err := s.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		return s
	}
	c.c.Hooks[0].MaxSilence, c.c.Hooks[1].MaxSilence, c.c.MailIn.MaxSilence = silence("301d"), silence("24h"), silence("0")
	c.want("webhook a", OK, "")
	c.want("webhook b", Warning, "silent for 2 days, and max_silence is")
	c.want("vext-filter", OK, "")
}

// A schedule that hardly ever runs is reported.
func TestCheckSchedules(t *testing.T) {
	c := newChecked(t)
	c.c.Schedule, c.c.Follow.Schedule = "0 0 29 2 *", "0 0 * * 0"
	c.want("schedule", Warning, "the next time is only on Tue 29 Feb 2028")
	c.c = config.Default(nil)
	for _, f := range c.check() {
		if strings.Contains(f.What, "schedule") {
			t.Errorf("%+v", f)
		}
	}
}
