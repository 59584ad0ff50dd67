package server

import (
	"context"

	"vext/internal/commit"
	"vext/reminder"
	"vext/source/follow"
)

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
			return everyTime(ctx, schedule, func(ctx context.Context) {
				select {
				case slots <- struct{}{}:
					defer func() { <-slots }()
				case <-ctx.Done():
					return
				}
				if err := s.fetch(ctx, repositories[i]); err != nil {
					s.Log.Error("follow", "repository", repositories[i].Name, "err", err)
				}
			})
		}
	}
	return runTasks(ctx, tasks...)
}

// everyTime calls do at once and then on a schedule, until ctx ends.
func everyTime(ctx context.Context, schedule reminder.Schedule, do func(context.Context)) error {
	clock := wallClock{}
	for {
		do(ctx)
		if clock.Sleep(ctx, schedule.Next(clock.Now())) != nil {
			return nil
		}
	}
}

// fetch reads the new commits of a repository once.
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
