package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"vext/internal/config"
	"vext/notify"
	"vext/queue"
	"vext/reminder"
)

func newServe(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run vext as a service: send reminders, receive commits",
		Long: `Runs the processor at once, to catch up, and then on the configured schedule
(default: 22 minutes past midnight), until SIGTERM or SIGINT. As configured it also
receives webhooks of forges ([http] and [[hook]]) and mails by LMTP ([lmtp]),
follows repositories ([[repository]]), announces commits on IRC ([[announce]]) and
serves irker's clients ([irker]). It notifies systemd when it is ready. The
configuration is read once, at the start; the log goes to standard error, one line
an event.`,
		Example: `  vext serve
  systemctl enable --now vext    with contrib/systemd/vext.service`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.nowFlag != "" {
				return usageError{errors.New("--now: vext serve uses the system's clock")}
			}
			a.makeState = true
			c, err := a.load()
			if err != nil {
				return err
			}
			q, err := a.open(c)
			if err != nil {
				return err
			}
			serving, err := queue.AcquireServing(q.State)
			if err != nil {
				return err
			}
			defer serving.Release()
			if _, err := a.serviceFor(q, c); err != nil { // so that it fails at the start, not at midnight
				return err
			}
			log := a.log(slog.LevelInfo)
			for _, hint := range a.hints {
				log.Warn("old name in the configuration", "hint", hint)
			}
			a.hints = nil
			if err := a.keepState(q, log); err != nil {
				return err
			}
			tasks, done, err := a.tasks(cmd.Context(), c, q, log)
			if err != nil {
				return err
			}
			notifySystemd(log, systemdReady)
			defer notifySystemd(log, systemdStopping)
			log.Info("started", "version", version(), "schedule", c.Schedule, "timezone", c.Timezone)
			err = errors.Join(together(cmd.Context(), tasks...), done())
			log.Info("stopped")
			return err
		},
	}
}

// keepState makes everything that is opened from now on accept only while the
// state directory keeps its present identity.
func (a *app) keepState(q *queue.Queue, log *slog.Logger) error {
	id, isNew, err := adopt(q)
	if err != nil {
		return err
	}
	if last, _ := queue.Runs(q.State); isNew && last.IsZero() {
		log.Info("new state directory; to accept no other one, set state_id, see vext.toml(5)", "state", q.State, "state_id", id)
	}
	a.stateID = id
	return nil
}

// process runs the processor on its schedule. outlet is nil where another
// process keeps the connections to IRC.
func (a *app) process(ctx context.Context, c *config.Config, outlet notify.Outbox, clock wallClock, log *slog.Logger) error {
	schedule, err := reminder.ParseSchedule(c.Schedule, c.Zone)
	if err != nil {
		return err
	}
	reminder.Serve(ctx, schedule, clock, log, func(ctx context.Context) (reminder.Summary, error) {
		q, err := a.open(c)
		if err != nil {
			return reminder.Summary{}, err
		}
		s, err := a.loggingService(q, c, log)
		if err != nil {
			return reminder.Summary{}, err
		}
		s.Progress, s.IRC = nil, outlet
		if outlet != nil {
			return s.Run(ctx)
		}
		done := a.withIRC(ctx, s, c)
		sum, err := s.Run(ctx)
		return sum, errors.Join(err, done())
	})
	return nil
}

// A task is a part of the service. It ends when its context does, and before
// that only with an error.
type task func(context.Context) error

// together runs tasks until the first fails or ctx ends, and returns its error when all
// have ended.
func together(ctx context.Context, tasks ...task) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, t := range tasks {
		group.Go(func() error { return guarded(ctx, t) })
	}
	return group.Wait()
}

// guarded runs a task and turns a panic into an error: no part of the service
// ends the others in the middle of their work.
func guarded(ctx context.Context, t task) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return t(ctx)
}

// wallClock is the system's clock. It looks at the clock every so often while
// it sleeps: a timer does not see a machine that was suspended, or a clock
// that was set. The zero value is never woken.
type wallClock struct{ woken chan struct{} }

func newWallClock() wallClock { return wallClock{make(chan struct{}, 1)} }

// wake ends the current sleep early, or else the next one.
func (c wallClock) wake() {
	select {
	case c.woken <- struct{}{}:
	default: // it will be
	}
}

const maxSleep = time.Minute

func (wallClock) Now() time.Time { return time.Now() }

func (c wallClock) Sleep(ctx context.Context, until time.Time) error {
	until = until.Round(0) // by the wall clock, not the monotonic one
	for {
		left := until.Sub(time.Now().Round(0))
		if left <= 0 {
			return nil
		}
		timer := time.NewTimer(min(left, maxSleep))
		select {
		case <-timer.C:
		case <-c.woken:
			timer.Stop()
			return nil
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}
