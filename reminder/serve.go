package reminder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"vext/internal/text"
	"vext/queue"
)

// A Schedule has the times at which vext serve runs the processor.
type Schedule struct {
	spec cron.Schedule
	zone *time.Location
}

// ParseSchedule reads five fields as crontab(5) has them, or @daily and the
// like. They mean the wall clock in zone.
func ParseSchedule(s string, zone *time.Location) (Schedule, error) {
	if strings.Contains(s, "TZ=") { // on which cron can panic
		return Schedule{}, fmt.Errorf("schedule: %q names a time zone; set timezone instead", s)
	}
	spec, err := cron.ParseStandard(s)
	if err != nil {
		return Schedule{}, fmt.Errorf("schedule: %q: %w", s, err)
	}
	if spec.Next(time.Unix(0, 0).UTC()).IsZero() {
		return Schedule{}, fmt.Errorf("schedule: %q is never", s)
	}
	return Schedule{spec, zone}, nil
}

// Next returns the next time of the schedule after t. It counts on the wall
// clock: a time that daylight saving skips comes an hour earlier or later, and
// one that it repeats comes once.
func (s Schedule) Next(t time.Time) time.Time {
	wall := t.In(s.zone)
	fake := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), time.UTC)
	for range 100 { // an hour that is repeated takes up to sixty steps
		fake = s.spec.Next(fake)
		next := time.Date(fake.Year(), fake.Month(), fake.Day(), fake.Hour(), fake.Minute(), fake.Second(), 0, s.zone)
		if next.After(t) {
			return next
		}
	}
	return t.Add(24 * time.Hour)
}

// A Clock returns the time and waits; tests have their own.
type Clock interface {
	Now() time.Time
	// Sleep returns at the time t, or with an error when ctx ends before.
	Sleep(ctx context.Context, t time.Time) error
}

// Serve runs the processor at once, to catch up, and then by the schedule,
// until ctx ends. A run that fails is logged, and retried at the next.
func Serve(ctx context.Context, schedule Schedule, clock Clock, log *slog.Logger, run func(context.Context) (Summary, error)) {
	for {
		sum, err := run(ctx)
		switch {
		case ctx.Err() != nil:
			if isHistoryError(err) {
				log.Error("run", "done", sum.String(), "err", text.OneLine(err.Error()))
			}
			return
		case errors.Is(err, queue.ErrLocked):
			log.Warn("left to another run", "err", err)
		case err != nil:
			log.Error("run", "done", sum.String(), "err", text.OneLine(err.Error()))
		default:
			log.Info("run", "done", sum.String())
		}
		next := schedule.Next(clock.Now())
		log.Info("waiting", "next", next.Format(time.RFC3339))
		if clock.Sleep(ctx, next) != nil {
			return
		}
	}
}
