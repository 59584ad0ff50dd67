package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"vext/internal/commit"
	"vext/internal/config"
	"vext/notify"
	"vext/outbox"
	"vext/queue"
	"vext/reminder"
	"vext/source/follow"
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
	defer serving.Close()
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
	notifySystemd(s.Log, "READY=1")
	defer notifySystemd(s.Log, "STOPPING=1")
	s.Log.Info("started", "version", s.Version, "schedule", s.Config.Schedule, "timezone", s.Config.Timezone)
	err = errors.Join(runTasks(ctx, tasks...), done())
	s.Log.Info("stopped")
	return err
}

// tasks opens all listeners that are configured and returns the tasks of the
// service. done is called after all of them have ended: until then they may use the
// outbox.
func (s *Server) tasks(ctx context.Context, q *queue.Queue, do Commands) (tasks []task, done func() error, err error) {
	o, err := s.openForService(ctx, q.State)
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
		o.account.run,
		func(ctx context.Context) error { return s.dispatch(ctx, o) },
		func(ctx context.Context) error { return mailBounced(ctx, o.Outbox, clock.wake) },
		func(ctx context.Context) error { return s.process(ctx, s.Config, o, clock) },
		func(ctx context.Context) error { return s.runUrgent(ctx, clock.wake) },
	}
	if all := Repositories(s.Config); len(all) > 0 {
		tasks = append(tasks, func(ctx context.Context) error { return s.followAlways(ctx, all) })
	}
	_, words, err := loadTemplates(s.Config)
	if err != nil {
		return nil, nil, err
	}
	for _, open := range []func() (task, error){
		func() (task, error) { return s.announcer(q, words, o) },
		func() (task, error) { return s.lmtp(q) },
		func() (task, error) { return s.http(q) },
		func() (task, error) { return s.irker(q, o, irkerLine(words)) },
		func() (task, error) { return s.control(do) },
		func() (task, error) { return s.autosync(ctx) },
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
// process keeps the connections.
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
			service.Outbox = outbox
			return service.Run(ctx)
		}
		return s.Run(ctx, service)
	})
	return nil
}

// Run runs the processor once, with the outbox if reminders go to targets.
func (s *Server) Run(ctx context.Context, service *reminder.Service) (reminder.Summary, error) {
	if s.id == "" {
		if _, _, err := adopt(service.Queue); err != nil {
			return reminder.Summary{}, err
		}
	}
	done := s.withOutbox(ctx, service)
	sum, err := service.Run(ctx)
	return sum, errors.Join(err, done())
}

// Preview returns what Run would do.
func (s *Server) Preview(service *reminder.Service) ([]reminder.Step, error) {
	if remindsByOutbox(s.Config, service.Queue.State) {
		service.Outbox = outbox.Failing(errors.New("this is only a preview"))
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

// Follow follows repositories on the schedule of [follow], until ctx ends. It also
// runs the processor on that schedule if the configuration says so.
func (s *Server) Follow(ctx context.Context, repositories []follow.Repository) error {
	q, err := s.Queue()
	if err != nil {
		return err
	}
	if err := s.keepState(q); err != nil {
		return err
	}
	if !s.Config.Follow.Run {
		return s.followAlways(ctx, repositories)
	}
	c := *s.Config
	c.Schedule = c.Follow.Schedule
	return runTasks(ctx,
		func(ctx context.Context) error { return s.followAlways(ctx, repositories) },
		func(ctx context.Context) error { return s.process(ctx, &c, nil, wallClock{}) })
}

// maxFetches bounds the repositories that one process fetches at the same time.
const maxFetches = 8

// followAlways follows on the schedule, until ctx ends. Each repository has its own
// task, so that a hanging repository does not block the others.
func (s *Server) followAlways(ctx context.Context, repositories []follow.Repository) error {
	schedule, err := reminder.ParseSchedule(s.Config.Follow.Schedule, s.Config.Zone)
	if err != nil {
		return err
	}
	slots := make(chan struct{}, maxFetches)
	tasks := make([]task, len(repositories))
	for i := range repositories {
		tasks[i] = func(ctx context.Context) error {
			for clock := (wallClock{}); ; {
				select {
				case slots <- struct{}{}:
				case <-ctx.Done():
					return nil
				}
				err := s.fetch(ctx, repositories[i])
				<-slots
				if err != nil {
					s.Log.Error("follow", "repository", repositories[i].Name, "err", err)
				}
				if clock.Sleep(ctx, schedule.Next(clock.Now())) != nil {
					return nil
				}
			}
		}
	}
	return runTasks(ctx, tasks...)
}

func (s *Server) fetch(ctx context.Context, r follow.Repository) error {
	q, err := s.Queue()
	if err != nil {
		return err
	}
	f, err := s.Follower(q, follow.Followed(q.State), commit.FromFollow)
	if err != nil {
		return err
	}
	for _, r := range f.Follow(ctx, []follow.Repository{r}, false) {
		if r.Commits > 0 {
			s.Log.Info("followed", "repository", r.Name, "commits", r.Commits, "asking", r.Requests, "spooled", r.New)
		}
	}
	return nil
}

// A task is a part of the service. It ends when its context does, and before that
// only with an error.
type task func(context.Context) error

// runTasks runs tasks until the first fails or ctx ends, and returns its error when
// all have ended.
func runTasks(ctx context.Context, tasks ...task) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, t := range tasks {
		group.Go(func() error { return guarded(ctx, t) })
	}
	return group.Wait()
}

// background runs a task until the returned function is called, which returns the
// error of the task.
func background(ctx context.Context, t task) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- guarded(ctx, t) }()
	return func() error {
		cancel()
		return <-ended
	}
}

// guarded runs a task and turns a panic into an error, so that the other tasks can
// finish their work.
func guarded(ctx context.Context, t task) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return t(ctx)
}

// wallClock is the system's clock. While it sleeps it reads the clock every minute:
// a timer does not count the time that a machine was suspended, nor see a clock that
// was set. A zero value is never woken.
type wallClock struct{ woken chan struct{} }

func newWallClock() wallClock { return wallClock{make(chan struct{}, 1)} }

// wake ends the current sleep early, or else the next one.
func (c wallClock) wake() {
	select {
	case c.woken <- struct{}{}:
	default: // woken already
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
		select {
		case <-time.After(min(left, maxSleep)):
		case <-c.woken:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// notifySystemd sends the state of the service to systemd, if systemd started it, see
// sd_notify(3). The usual library for this does not build on NetBSD.
func notifySystemd(log *slog.Logger, state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	if strings.HasPrefix(path, "@") { // an abstract socket, unix(7)
		path = "\x00" + path[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err == nil {
		_, err = conn.Write([]byte(state))
		conn.Close()
	}
	if err != nil {
		log.Warn("cannot notify systemd", "state", state, "err", err)
	}
}
