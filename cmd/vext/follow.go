package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/config"
	"vext/internal/hint"
	"vext/queue"
	"vext/reminder"
	"vext/server"
	"vext/source/follow"
)

func newFollow(a *app) *cobra.Command {
	var once bool
	c := &cobra.Command{
		Use:   "follow [NAME...]",
		Short: "Spool new commits of followed repositories",
		Long: `Fetches the repositories that the configuration lists under [[repository]], or only
those named. It spools the new commits that ask for a reminder, on the branches that
count. Without --once it continues on the schedule of [follow] until SIGTERM or
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
			return nil, hint.Wrap(fmt.Errorf("no followed repository has the name %q", name), "vext follow list shows all")
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

// followed is a repository that is followed, as vext follow list shows it.
type followed struct {
	Name       string    `json:"name"`
	URL        string    `json:"url"` // without a password
	VCS        string    `json:"vcs,omitempty"`
	Patterns   []string  `json:"patterns"` // of the branches that count
	Branches   []string  `json:"branches"` // that count and were there at the last look
	Start      time.Time `json:"start,omitzero"`
	LastLook   time.Time `json:"last_look,omitzero"`
	LastOK     time.Time `json:"last_ok,omitzero"`
	Next       time.Time `json:"next_look,omitzero"` // by [follow]; zero if it is not followed
	Failures   int       `json:"failures"`
	Failing    time.Time `json:"failing_since,omitzero"`
	Error      string    `json:"error,omitempty"`
	Warnings   []string  `json:"warnings,omitempty"`
	Configured bool      `json:"configured"` // false where only its state is left
}

func newFollowList(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "Show the followed repositories",
		Example: `  vext follow list
  vext follow list --json | jq -r '.[] | select(.failures > 0) | .name'`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			s, q, err := a.open()
			if err != nil {
				return err
			}
			all, err := followedBy(q, s.Config)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.stdout, all)
			}
			printFollowed(a.stdout, styleFor(a.stdout), all, q)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// followedBy returns the repositories of the configuration, in its order, followed by
// those that have only a state left.
func followedBy(q *queue.Queue, c *config.Config) ([]followed, error) {
	schedule, err := reminder.ParseSchedule(c.Follow.Schedule, c.Zone)
	if err != nil {
		return nil, err
	}
	states, err := follow.Followed(q.State).All()
	if err != nil {
		return nil, err
	}
	all := []followed{}
	for _, r := range server.Repositories(c) {
		s := &follow.State{}
		if i := slices.IndexFunc(states, func(s *follow.State) bool { return s.Name == r.Name }); i >= 0 {
			s = states[i]
			states = slices.Delete(states, i, i+1)
		}
		one := describe(s)
		one.Name, one.URL, one.Patterns, one.Configured = r.Name, r.Where(), r.Branches, true
		one.VCS = cmp.Or(string(r.Kind), one.VCS)
		one.Next = schedule.Next(q.Now)
		if !s.LastTry.IsZero() {
			one.Next = schedule.Next(s.LastTry)
		}
		if one.Next.Before(s.Next) {
			one.Next = schedule.Next(s.Next.Add(-time.Second))
		}
		all = append(all, one)
	}
	for _, s := range states {
		all = append(all, describe(s))
	}
	return all, nil
}

func describe(s *follow.State) followed {
	one := followed{
		Name: s.Name, URL: s.Where, VCS: string(s.Kind), Start: s.Start, LastLook: s.LastTry, LastOK: s.LastOK,
		Failures: s.Failures, Failing: s.Failing, Error: s.Error, Warnings: s.Warnings, Branches: []string{}, Patterns: []string{},
	}
	for _, refname := range slices.Sorted(maps.Keys(s.Positions)) {
		if refname != "" && !s.Uncounted[refname] { // "" stands for all branches of Subversion
			one.Branches = append(one.Branches, commit.BranchName(refname))
		}
	}
	return one
}

// maxBranches bounds the branches shown for a repository.
const maxBranches = 4

func printFollowed(w io.Writer, s style, all []followed, q *queue.Queue) {
	if len(all) == 0 {
		fmt.Fprintln(w, "no repository is followed")
		return
	}
	head := []string{"NAME", "BRANCHES", "LAST LOOK", "NEXT", "URL"}
	rows := [][]string{head}
	for i := range all {
		one := &all[i]
		branches := one.Branches
		if len(branches) == 0 {
			branches = one.Patterns
		}
		if more := len(branches) - maxBranches; more > 0 {
			branches = append(slices.Clone(branches[:maxBranches]), fmt.Sprintf("%d more", more))
		}
		rows = append(rows, []string{one.Name, cmp.Or(strings.Join(branches, ", "), "all"), lookedAt(one.LastLook, q), lookNext(one, q), one.URL})
	}
	widths := make([]int, len(head)-1) // the last needs none
	for _, row := range rows {
		for i := range widths {
			widths[i] = max(widths[i], runewidth.StringWidth(printable(row[i])))
		}
	}
	for i, row := range rows {
		line := ""
		for n, width := range widths {
			line += column(row[n], width) + "  "
		}
		line += printable(row[len(widths)])
		if i == 0 {
			fmt.Fprintln(w, s.bold(line))
			continue
		}
		fmt.Fprintln(w, line)
		for _, text := range all[i-1].wrong(q) {
			fmt.Fprintf(w, "  %s\n", s.red(printable(text)))
		}
	}
}

func lookedAt(t time.Time, q *queue.Queue) string {
	if t.IsZero() {
		return "never"
	}
	return t.In(q.Zone).Format("Mon 2 Jan 15:04")
}

// lookNext says when the next look is due according to the schedule of [follow].
func lookNext(one *followed, q *queue.Queue) string {
	switch {
	case !one.Configured:
		return "never"
	case !one.Next.After(q.Now):
		return "due"
	}
	return lookedAt(one.Next, q)
}

func (f *followed) wrong(q *queue.Queue) []string {
	wrong := slices.Clone(f.Warnings)
	if f.Failures > 0 {
		wrong = append(wrong, fmt.Sprintf("failing since %s: %s", calendar.Ago(f.Failing, q.Now, q.Zone), f.Error))
	}
	if !f.Configured {
		wrong = append(wrong, "no longer in the configuration; vext follow remove "+f.Name+" forgets it")
	}
	return wrong
}
