package server

import (
	"context"
	"errors"
	"time"

	"vext/internal/config"
	"vext/notify"
	"vext/queue"
	"vext/reminder"
)

// Serve runs vext serve until ctx ends. do runs the commands of users that arrive
// at the control socket.
func (s *Server) Serve(ctx context.Context, do Commands) error {
	q, err := s.Queue()
	if err != nil {
		return err
	}
	serving, err := queue.AcquireServing(q.State)
	if err != nil {
		return err
	}
	defer serving.Release()
	if _, err := s.Service(q); err != nil { // so that it fails at the start, not at midnight
		return err
	}
	if err := s.keepState(q); err != nil {
		return err
	}
	tasks, done, err := s.tasks(ctx, q, do)
	if err != nil {
		return err
	}
	notifySystemd(s.Log, systemdReady)
	defer notifySystemd(s.Log, systemdStopping)
	s.Log.Info("started", "version", s.Version, "schedule", s.Config.Schedule, "timezone", s.Config.Timezone)
	err = errors.Join(runTasks(ctx, tasks...), done())
	s.Log.Info("stopped")
	return err
}

// tasks opens all listeners that are configured and returns the tasks of the
// service. done is called after all of them have ended: until then they may use the
// outbox of IRC.
func (s *Server) tasks(ctx context.Context, q *queue.Queue, do Commands) (tasks []task, done func() error, err error) {
	client, o, err := s.openIRC(ctx, q.State)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			o.Close()
		}
	}()
	clock := newWallClock()
	o.Check = q.Spool.Check
	tasks = []task{
		func(ctx context.Context) error { return s.runIRC(ctx, client, o) },
		func(ctx context.Context) error { return mailBounced(ctx, o, clock.wake) },
		func(ctx context.Context) error { return s.process(ctx, s.Config, o, clock) },
		func(ctx context.Context) error { return s.runUrgent(ctx, clock.wake) },
	}
	if all := Repositories(s.Config); len(all) > 0 {
		tasks = append(tasks, func(ctx context.Context) error { return s.followAlways(ctx, all) })
	}
	words, err := announceWords(s.Config)
	if err != nil {
		return nil, nil, err
	}
	for _, open := range []func() (task, error){
		func() (task, error) { return s.announcer(q, words, o) },
		func() (task, error) { return s.lmtp(q) },
		func() (task, error) { return s.http(q) },
		func() (task, error) { return s.irker(q, o, irkerLine(words)) },
		func() (task, error) { return s.control(do) },
	} {
		t, err := open()
		if err != nil {
			return nil, nil, err
		}
		if t != nil {
			tasks = append(tasks, t)
		}
	}
	return tasks, o.Close, nil
}

// process runs the processor on the schedule of c. outbox is nil where another
// process keeps the connections to IRC.
func (s *Server) process(ctx context.Context, c *config.Config, outbox notify.Outbox, clock wallClock) error {
	schedule, err := reminder.ParseSchedule(c.Schedule, c.Zone)
	if err != nil {
		return err
	}
	reminder.Serve(ctx, schedule, clock, s.Log, func(ctx context.Context) (reminder.Summary, error) {
		q, err := s.Queue()
		if err != nil {
			return reminder.Summary{}, err
		}
		service, err := s.Service(q)
		if err != nil {
			return reminder.Summary{}, err
		}
		if outbox != nil {
			service.IRC = outbox
			return service.Run(ctx)
		}
		return s.Run(ctx, service)
	})
	return nil
}

// Run runs the processor once, with IRC if reminders go there.
func (s *Server) Run(ctx context.Context, service *reminder.Service) (reminder.Summary, error) {
	if s.id == "" {
		if _, _, err := adopt(service.Queue); err != nil {
			return reminder.Summary{}, err
		}
	}
	done := s.withIRC(ctx, service)
	sum, err := service.Run(ctx)
	return sum, errors.Join(err, done())
}

// Preview returns what Run would do.
func (s *Server) Preview(service *reminder.Service) ([]reminder.Step, error) {
	if remindsOnIRC(s.Config, service.Queue.State) {
		service.IRC = notify.FailingOutbox{Err: errors.New("this is only a preview")}
	}
	return service.Preview()
}

// urgentPause is how often the spool is read, and so the time between two early
// runs.
const urgentPause = time.Minute

// runUrgent calls runSoon when a message arrived in the spool that is due today or
// is not understood: its committer should not wait until midnight.
func (s *Server) runUrgent(ctx context.Context, runSoon func()) error {
	ticker := time.NewTicker(urgentPause)
	defer ticker.Stop()
	var before map[string]bool
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		q, err := s.Queue()
		if err != nil {
			continue // the run reports it
		}
		urgent, names, err := q.Urgent(before)
		if before = names; err != nil {
			s.Log.Debug("cannot list the spool", "err", err)
		}
		if urgent {
			s.Log.Info("starting a run early: a new reminder is due today or not understood")
			runSoon()
		}
	}
}
