package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"vext/reminder"
)

func newServe(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the processor by itself, on a schedule",
		Long: `Runs the processor at once, to catch up, and then on the schedule of the
configuration (default: 22 minutes past midnight), until it is told to end by
SIGTERM or SIGINT. It tells systemd when it is ready. The configuration is read
once, when it starts; the log goes to standard error, one line an event.`,
		Example: `  vext serve
  systemctl enable --now vext    with contrib/systemd/vext.service`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.nowFlag != "" {
				return usageError{errors.New("--now: vext serve goes by the clock")}
			}
			a.makeState = true
			c, err := a.load()
			if err != nil {
				return err
			}
			schedule, err := reminder.ParseSchedule(c.Schedule, c.Zone)
			if err != nil {
				return err
			}
			q, err := a.open(c)
			if err != nil {
				return err
			}
			if _, err := a.serviceFor(q, c); err != nil { // to fail at the start, not at midnight
				return err
			}
			log := a.log(slog.LevelInfo)
			notifySystemd(log, systemdReady)
			defer notifySystemd(log, systemdStopping)
			log.Info("started", "version", version(), "schedule", c.Schedule, "timezone", c.Timezone)
			reminder.Serve(cmd.Context(), schedule, wallClock{}, log, func(ctx context.Context) (reminder.Summary, error) {
				q, err := a.open(c)
				if err != nil {
					return reminder.Summary{}, err
				}
				s, err := a.serviceFor(q, c)
				if err != nil {
					return reminder.Summary{}, err
				}
				s.Log, s.Progress = log, nil
				return s.Run(ctx)
			})
			log.Info("stopped")
			return nil
		},
	}
}

// wallClock is the system's clock. It looks at the clock every so often while
// it sleeps: a timer does not see a machine that was suspended, or a clock
// that was set.
type wallClock struct{}

const longestSleep = time.Minute

func (wallClock) Now() time.Time { return time.Now() }

func (wallClock) Sleep(ctx context.Context, until time.Time) error {
	until = until.Round(0) // by the wall clock, not the monotonic one
	for {
		left := until.Sub(time.Now().Round(0))
		if left <= 0 {
			return nil
		}
		timer := time.NewTimer(min(left, longestSleep))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}
