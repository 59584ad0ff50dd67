package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/config"
	"vext/internal/vcs"
	"vext/queue"
	"vext/reminder"
	"vext/source/follow"
)

func vcsKind(name string) vcs.Kind { return vcs.Kind(name) }

func newFollow(a *app) *cobra.Command {
	var once bool
	c := &cobra.Command{
		Use:   "follow [NAME...]",
		Short: "Spool new commits of followed repositories",
		Long: `Fetches the repositories that the configuration lists under [[repository]], or
those named, and spools each new commit on a branch that counts that asks for a
reminder. Without --once it continues on the schedule of [follow] until SIGTERM or
SIGINT; "vext serve" does the same as one of its tasks.

An unreachable repository is retried with backoff, and does not block the others.
Naming it with --once retries it immediately.`,
		Example: `  vext follow --once                     from cron
  vext follow --once src                 now, even during backoff
  vext follow add https://git.example.org/widget.git --mine
  vext follow list
  vext follow remove widget`,
		ValidArgsFunction: a.completeFollowed(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.makeState = true
			c, err := a.load()
			if err != nil {
				return err
			}
			repositories, err := chosen(c, args)
			if err != nil {
				return err
			}
			if once {
				return a.followOnce(cmd.Context(), c, repositories, len(args) > 0)
			}
			if a.nowFlag != "" {
				return usageError{errors.New("--now: vext follow takes it only with --once")}
			}
			q, err := a.open(c)
			if err != nil {
				return err
			}
			log := a.log(slog.LevelInfo)
			if err := a.keepState(q, log); err != nil {
				return err
			}
			if c.Follow.Run {
				return a.followAndRun(cmd.Context(), c, repositories, log)
			}
			return a.followAlways(cmd.Context(), c, repositories, log)
		},
	}
	c.Flags().BoolVar(&once, "once", false, "fetch once and exit; for cron")
	c.AddCommand(newFollowAdd(a), newFollowList(a), newFollowRemove(a), newFollowReach(a))
	return c
}

// chosen returns the repositories of the configuration, all or those named.
func chosen(c *config.Config, names []string) ([]follow.Repository, error) {
	all := repositories(c)
	if len(all) == 0 {
		return nil, hinted{errors.New("no repository is followed: the configuration has no [[repository]] with a url"),
			"vext follow add URL adds one; see vext.toml(5)"}
	}
	if len(names) == 0 {
		return all, nil
	}
	p := policyOf(c)
	var some []follow.Repository
	for _, name := range names {
		i := slices.IndexFunc(all, func(r follow.Repository) bool { return r.Name == p.Repository(name) })
		if i < 0 {
			var known []string
			for _, r := range all {
				known = append(known, r.Name)
			}
			return nil, hinted{fmt.Errorf("no followed repository has the name %q", name), "there are " + strings.Join(known, ", ")}
		}
		some = append(some, all[i])
	}
	return some, nil
}

func (a *app) followOnce(ctx context.Context, c *config.Config, repositories []follow.Repository, insist bool) error {
	q, err := a.open(c)
	if err != nil {
		return err
	}
	f, err := a.follower(q, c, follow.Followed(q.State), commit.FromFollow, a.log(slog.LevelError+1))
	if err != nil {
		return err
	}
	reports := f.Follow(ctx, repositories, insist)
	if !slices.ContainsFunc(reports, func(r follow.Report) bool { return r.New > 0 || r.Err != nil }) {
		a.hints = nil // cron would mail them
	}
	errs := []error{printReports(a.stdout, a.stderr, reports, q)}
	if c.Follow.Run {
		s, err := a.serviceFor(q, c)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		sum, err := s.Run(ctx)
		if !sum.Empty() {
			fmt.Fprintln(a.stdout, sum)
		}
		if !errors.Is(err, queue.ErrLocked) { // that process does the work
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// printReports prints the results. It prints nothing where nothing was found, so
// that cron has nothing to mail.
func printReports(stdout, stderr io.Writer, reports []follow.Report, q *queue.Queue) error {
	var errs []error
	_, watched := terminal(stdout)
	for _, r := range reports {
		for _, text := range r.Messages {
			fmt.Fprintf(stderr, "vext: %s: %s\n", r.Name, printable(text))
		}
		switch {
		case r.Err != nil:
			errs = append(errs, r.Err)
		case (r.Busy || !r.RetryAt.IsZero()) && !watched: // cron would mail it at every run
		case r.Busy:
			fmt.Fprintf(stderr, "vext: %s: locked by another process\n", r.Name)
		case !r.RetryAt.IsZero():
			fmt.Fprintf(stderr, "vext: %s: in backoff after a failure, next retry %s\nvext: hint: vext follow --once %s retries now\n",
				r.Name, r.RetryAt.In(q.Zone).Format("Mon 2 Jan 15:04"), r.Name)
		case r.New > 0 || watched:
			fmt.Fprintf(stdout, "%s: %s, %s for a reminder, %d spooled\n", r.Name, calendar.Plural(r.Commits, "new commit"), calendar.Verb(r.Requests, "asks", "ask"), r.New)
		}
	}
	return errors.Join(errs...)
}

// maxFetches bounds the repositories that one process fetches at the same time.
const maxFetches = 8

// followAlways follows on the schedule, until ctx ends. Each repository has its own
// task, so that a hanging repository does not block the others.
func (a *app) followAlways(ctx context.Context, c *config.Config, repositories []follow.Repository, log *slog.Logger) error {
	schedule, err := reminder.ParseSchedule(c.Follow.Schedule, c.Zone)
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
				if err := a.followPass(ctx, c, repositories[i:i+1], log); err != nil {
					log.Error("follow", "repository", repositories[i].Name, "err", err)
				}
			})
		}
	}
	return together(ctx, tasks...)
}

// everyTime does something at once and then on a schedule, until ctx ends.
func everyTime(ctx context.Context, schedule reminder.Schedule, do func(context.Context)) error {
	clock := wallClock{}
	for {
		do(ctx)
		if clock.Sleep(ctx, schedule.Next(clock.Now())) != nil {
			return nil
		}
	}
}

// followPass fetches repositories once.
func (a *app) followPass(ctx context.Context, c *config.Config, repositories []follow.Repository, log *slog.Logger) error {
	q, err := a.open(c)
	if err != nil {
		return err
	}
	f, err := a.follower(q, c, follow.Followed(q.State), commit.FromFollow, log)
	if err != nil {
		return err
	}
	f.Progress = nil
	for _, r := range f.Follow(ctx, repositories, false) {
		if r.Commits > 0 {
			log.Info("followed", "repository", r.Name, "commits", r.Commits, "asking", r.Requests, "spooled", r.New)
		}
	}
	return nil
}

// followAndRun is followAlways with the processor on the same schedule.
func (a *app) followAndRun(ctx context.Context, c *config.Config, repositories []follow.Repository, log *slog.Logger) error {
	run := *c
	run.Schedule = c.Follow.Schedule
	return together(ctx,
		func(ctx context.Context) error { return a.followAlways(ctx, c, repositories, log) },
		func(ctx context.Context) error { return a.process(ctx, &run, nil, wallClock{}, log) })
}
