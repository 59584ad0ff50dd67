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
	"vext/internal/hint"
	"vext/queue"
	"vext/server"
	"vext/source/follow"
)

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
		ValidArgsFunction: completeFollowed(a, 0),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.makeState = true
			s, err := a.load()
			if err != nil {
				return err
			}
			repositories, err := chosen(s.Config, args)
			if err != nil {
				return err
			}
			if once {
				return followOnce(cmd.Context(), a, s, repositories, len(args) > 0)
			}
			if a.nowFlag != "" {
				return usageError{errors.New("--now: vext follow takes it only with --once")}
			}
			s.Log, s.Progress = a.log(slog.LevelInfo), nil
			return s.Follow(cmd.Context(), repositories)
		},
	}
	c.Flags().BoolVar(&once, "once", false, "fetch once and exit; for cron")
	c.AddCommand(newFollowAdd(a), newFollowList(a), newFollowRemove(a), newFollowReach(a))
	return c
}

// chosen returns the repositories of the configuration, all or those named.
func chosen(c *config.Config, names []string) ([]follow.Repository, error) {
	all := server.Repositories(c)
	if len(all) == 0 {
		return nil, hint.Wrap(errors.New("no repository is followed: the configuration has no [[repository]] with a url"),
			"vext follow add URL adds one; see vext.toml(5)")
	}
	if len(names) == 0 {
		return all, nil
	}
	p := server.Policy(c)
	var some []follow.Repository
	for _, name := range names {
		i := slices.IndexFunc(all, func(r follow.Repository) bool { return r.Name == p.Repository(name) })
		if i < 0 {
			var known []string
			for _, r := range all {
				known = append(known, r.Name)
			}
			return nil, hint.Wrap(fmt.Errorf("no followed repository has the name %q", name), "there are "+strings.Join(known, ", "))
		}
		some = append(some, all[i])
	}
	return some, nil
}

// followOnce fetches repositories once. force includes those in backoff.
func followOnce(ctx context.Context, a *app, s *server.Server, repositories []follow.Repository, force bool) error {
	q, err := s.Queue()
	if err != nil {
		return err
	}
	fetching := *s
	fetching.Log = a.log(quiet)
	f, err := fetching.Follower(q, follow.Followed(q.State), commit.FromFollow)
	if err != nil {
		return err
	}
	reports := f.Follow(ctx, repositories, force)
	if !slices.ContainsFunc(reports, func(r follow.Report) bool { return r.New > 0 || r.Err != nil }) {
		a.hints = nil // cron would mail them
	}
	errs := []error{printReports(a.stdout, a.stderr, reports, q)}
	if s.Config.Follow.Run {
		service, err := s.Service(q)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		sum, err := service.Run(ctx)
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
