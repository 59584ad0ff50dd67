package reminder

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"
)

func schedule(t *testing.T, spec, zone string) Schedule {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseSchedule(spec, loc)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Daylight saving neither swallows a run nor doubles it.
func TestSchedule(t *testing.T) {
	for _, test := range []struct{ name, spec, zone, from, want string }{
		{"daily", "22 0 * * *", "UTC", "2026-11-20T12:00:00Z", "2026-11-21T00:22:00Z"},
		{"the minute itself", "22 0 * * *", "UTC", "2026-11-21T00:22:00Z", "2026-11-22T00:22:00Z"},
		{"in the zone", "22 0 * * *", "America/New_York", "2026-11-20T12:00:00Z", "2026-11-21T05:22:00Z"},
		{"an hour that is skipped", "30 2 * * *", "America/New_York", "2026-03-08T06:00:00Z", "2026-03-08T06:30:00Z"},
		{"an hour that is skipped, not twice", "30 2 * * *", "America/New_York", "2026-03-08T06:30:00Z", "2026-03-09T06:30:00Z"},
		{"an hour that is repeated, first", "30 1 * * *", "America/New_York", "2026-11-01T05:00:00Z", "2026-11-01T05:30:00Z"},
		{"an hour that is repeated, not twice", "30 1 * * *", "America/New_York", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"},
		{"within the repeated hour", "*/10 * * * *", "America/New_York", "2026-11-01T06:05:00Z", "2026-11-01T07:00:00Z"},
		{"an hour that is skipped, in Berlin", "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z"},
		{"every minute", "* * * * *", "UTC", "2026-11-20T12:00:30Z", "2026-11-20T12:01:00Z"},
		{"a name", "@daily", "UTC", "2026-11-20T12:00:30Z", "2026-11-21T00:00:00Z"},
	} {
		from, _ := time.Parse(time.RFC3339, test.from)
		if got := schedule(t, test.spec, test.zone).Next(from).UTC().Format(time.RFC3339); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestParseScheduleErrors(t *testing.T) {
	for _, spec := range []string{"", "TZ=UTC", "CRON_TZ=UTC 22 0 * * *", "61 0 * * *", "0 0 30 2 *", "nonsense", "* * * *"} {
		if _, err := ParseSchedule(spec, time.UTC); err == nil {
			t.Errorf("%q is taken", spec)
		}
	}
}

// A stage is a clock that jumps to the end of each sleep.
type stage struct {
	now  time.Time
	left int // sleeps until the play is over
	end  context.CancelFunc
}

func (s *stage) Now() time.Time { return s.now }

func (s *stage) Sleep(ctx context.Context, until time.Time) error {
	if s.left--; s.left < 0 {
		s.end()
		return ctx.Err()
	}
	s.now = until
	return nil
}

// The service catches up at its start, goes on after a failure, and ends when
// it is to.
func TestServe(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	clock := &stage{now: now, left: 3, end: cancel}
	var runs []string
	Serve(ctx, schedule(t, "22 0 * * *", "UTC"), clock, slog.New(slog.DiscardHandler), func(context.Context) (Summary, error) {
		runs = append(runs, clock.now.Format("02 15:04"))
		return Summary{}, errors.New("no server")
	})
	if len(runs) != 4 || runs[0] != "20 12:00" || runs[1] != "21 00:22" || runs[3] != "23 00:22" {
		t.Errorf("%v", runs)
	}
}
