package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/disk"
	"vext/internal/vcs"
	"vext/server"
	"vext/source/follow"
	"vext/source/hook"
)

func newHook(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "hook",
		Short: "Install a hook into a repository on this machine",
		Long: `Installs a hook into a git, Mercurial or Subversion repository. The hook spools the
new commits that ask for a reminder, on the branches that count. It delays a push by
some hundredths of a second, and never makes it fail. The next "vext run" finds the
commits that the hook missed, for example because the disk was full.

An existing hook keeps working, and "vext hook remove" restores it.`,
		Example: `  vext hook install /srv/git/widget.git
  vext hook install --vcs svn --domain example.org /srv/svn/widget
  vext hook status
  vext hook remove /srv/git/widget.git`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newHookInstall(a), newHookRemove(a), newHookStatus(a), newHookFire(a), newHookWork(a))
	return c
}

func addVCS(c *cobra.Command, kind *string) {
	c.Flags().StringVar(kind, "vcs", "", "the version control system of the repository, `git|hg|svn` (default: detect)")
	c.RegisterFlagCompletionFunc("vcs", cobra.FixedCompletions([]string{"git", "hg", "svn"}, cobra.ShellCompDirectiveNoFileComp))
}

func loadForHook(a *app, flag string) (*server.Server, vcs.Kind, error) {
	kind := vcs.Kind(flag)
	switch kind {
	case "", vcs.Git, vcs.Hg, vcs.Svn:
	default:
		return nil, "", usageError{fmt.Errorf("--vcs: %q is none of git, hg and svn", flag)}
	}
	s, err := a.load()
	return s, kind, err
}

func newHookInstall(a *app) *cobra.Command {
	var name, vcsFlag string
	var opts follow.Options
	var changes bool
	c := &cobra.Command{
		Use:   "install REPO",
		Short: "Install the hook, or update it",
		Args:  takes(1, 1, "one repository"),
		Example: `  vext hook install /srv/git/widget.git
  vext hook install --name src --branch main --branch 'stable/*' ~/src
  vext hook install --changes /srv/git/widget.git`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if changes {
				return installChanges(cmd.Context(), a, args[0])
			}
			a.makeState = true
			s, kind, err := loadForHook(a, vcsFlag)
			if err != nil {
				return err
			}
			s.Log = a.log(quiet)
			r, err := s.InstallHook(cmd.Context(), args[0], name, kind, opts)
			if err != nil {
				return err
			}
			for _, text := range r.Messages {
				fmt.Fprintf(a.stderr, "vext: %s: %s\n", r.Name, printable(text))
			}
			for _, text := range r.Hints {
				a.hint(r.Name + ": " + text)
			}
			fmt.Fprintf(a.stdout, "installed in %s, as %s\n", r.Dir, r.Name)
			return nil
		},
	}
	addVCS(c, &vcsFlag)
	c.Flags().StringVar(&name, "name", "", "name the repository `NAME` (default: its directory)")
	c.Flags().StringVar(&opts.Domain, "domain", "", "the domain of committers known only by a login: login@`DOMAIN`")
	c.Flags().StringArrayVar(&opts.Branches, "branch", nil, "a branch that counts, or a `PATTERN` of branches (default: as configured)")
	c.Flags().BoolVar(&changes, "changes", false, "install only the hook by which vext remote sees changed refs where the system watches too few directories")
	for _, other := range []string{"vcs", "name", "domain", "branch"} {
		c.MarkFlagsMutuallyExclusive("changes", other)
	}
	return c
}

func newHookRemove(a *app) *cobra.Command {
	var vcsFlag string
	var changes bool
	c := &cobra.Command{
		Use:   "remove REPO",
		Short: "Remove the hook, and restore the one before it",
		Args:  takes(1, 1, "one repository"),

		ValidArgsFunction: completeHooked(a),
		RunE: func(cmd *cobra.Command, args []string) error {
			if changes {
				return removeChanges(cmd.Context(), a, args[0])
			}
			s, kind, err := loadForHook(a, vcsFlag)
			if err != nil {
				return err
			}
			dir, had, err := s.RemoveHook(cmd.Context(), args[0], kind)
			if err != nil {
				return err
			}
			printRemoved(a, dir, had)
			return nil
		},
	}
	addVCS(c, &vcsFlag)
	c.Flags().BoolVar(&changes, "changes", false, "remove the hook of install --changes")
	c.MarkFlagsMutuallyExclusive("changes", "vcs")
	return c
}

func newHookStatus(a *app) *cobra.Command {
	var vcsFlag string
	var asJSON bool
	c := &cobra.Command{
		Use:   "status [REPO]",
		Short: "Show the state of the hook of one repository, or of all hooks",
		Example: `  vext hook status
  vext hook status --json | jq -r '.[] | select(.ok | not).name'`,
		Args:              takes(0, 1, "at most one repository"),
		ValidArgsFunction: completeHooked(a),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, kind, err := loadForHook(a, vcsFlag)
			if err != nil {
				return err
			}
			path := ""
			if len(args) > 0 {
				path = args[0]
			}
			states, err := s.Hooks(cmd.Context(), path, kind)
			if path != "" && err != nil {
				return err
			}
			all := []hookStatus{} // [] and not null
			wrong := false
			for _, state := range states {
				one := statusOf(cmd.Context(), state, s.Now())
				all, wrong = append(all, one), wrong || !one.OK
			}
			if asJSON {
				err = errors.Join(err, printJSON(a.stdout, all))
			} else if len(all) > 0 || err == nil {
				printHooks(a.stdout, styleFor(a.stdout), all, s.Config.Zone)
			}
			if wrong && err == nil {
				return exitCode(1)
			}
			return err
		},
	}
	addVCS(c, &vcsFlag)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

type hookStatus struct {
	Name       string      `json:"name"`
	Repository string      `json:"repository"`
	VCS        string      `json:"vcs"`
	OK         bool        `json:"ok"`
	Registered bool        `json:"registered"` // vext hook install was run here
	Files      []hook.Part `json:"files"`
	FilesError string      `json:"files_error,omitempty"`
	LastLook   time.Time   `json:"last_look,omitzero"` // that succeeded
	Failures   int         `json:"failures,omitempty"` // in a row, since
	Failing    time.Time   `json:"failing,omitzero"`   // the first of them
	Missed     int         `json:"missed,omitempty"`   // times in the last week that a run found what the hook had not brought
	Error      string      `json:"error,omitempty"`    // the last of them
}

func statusOf(ctx context.Context, s *follow.State, now time.Time) hookStatus {
	status := hookStatus{Name: s.Name, Repository: s.Where, VCS: string(s.Kind), Registered: s.Options != nil, Files: []hook.Part{}, Failures: s.Failures, LastLook: s.LastOK}
	status.OK = status.Registered && s.Failures == 0
	if s.IsUnreliable(now) {
		status.OK, status.Missed = false, len(s.RecentMisses(now))
	}
	parts, err := server.HookParts(ctx, s)
	for _, part := range parts {
		status.OK = status.OK && part.State == hook.Installed
		status.Files = append(status.Files, part)
	}
	if err != nil {
		status.OK, status.FilesError = false, err.Error()
	}
	if s.Failures > 0 {
		status.Error, status.Failing = s.Error, s.Failing
	}
	return status
}

func printHooks(w io.Writer, style style, all []hookStatus, zone *time.Location) {
	if len(all) == 0 {
		fmt.Fprintln(w, "no hook is installed")
	}
	for i := range all {
		s := &all[i]
		fmt.Fprintf(w, "%s\n", style.bold(printable(s.Name)))
		fact := func(label, value string) { printFact(w, style, 10, label, value) }
		fact("repository", fmt.Sprintf("%s (%s)", s.Repository, s.VCS))
		for _, file := range s.Files {
			fact("hook", file.Path+": "+file.State)
		}
		fact("hook", s.FilesError)
		fact("state", s.words(zone))
		if s.Missed > 0 {
			fact("missed", fmt.Sprintf("%s in the last week, a run found commits that the hook had missed", calendar.Plural(s.Missed, "time")))
			fact("", follow.UnreliableHint)
		}
	}
}

func (s *hookStatus) words(zone *time.Location) string {
	switch {
	case !s.Registered:
		return "not installed"
	case s.Failures > 0:
		return fmt.Sprintf("failed %s, since %s: %s", calendar.Times(s.Failures), s.Failing.In(zone).Format("Mon 2 Jan 15:04"), s.Error)
	case s.LastLook.IsZero():
		return "never looked at"
	}
	return "last looked at " + s.LastLook.In(zone).Format("Mon 2 Jan 2006 15:04")
}

// newHookFire returns the command that the hooks run. It only starts a worker.
func newHookFire(a *app) *cobra.Command {
	var noWait bool
	c := &cobra.Command{
		Use:    "fire NAME",
		Hidden: true,
		Args:   takes(1, 1, "one name"),
		RunE: func(_ *cobra.Command, args []string) error {
			worker, err := server.Command(a.configPath, a.state)
			if err != nil {
				return err
			}
			when := "--fired"
			if noWait {
				when = "--later"
			}
			return hook.Fire(a.stdin, append(worker, "hook", "work", when, "--", args[0]), !noWait)
		},
	}
	c.Flags().BoolVar(&noWait, "no-wait", false, "do not wait for the worker")
	return c
}

// newHookWork returns the command of the worker, which may take its time.
func newHookWork(a *app) *cobra.Command {
	var fired, later bool
	c := &cobra.Command{
		Use:    "work NAME",
		Hidden: true,
		Args:   takes(1, 1, "one name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			updates, err := io.ReadAll(a.stdin)
			if err != nil {
				return err
			}
			if later {
				time.Sleep(hook.WorkerDelay)
			}
			s, q, err := a.open()
			if err != nil {
				return err
			}
			store := follow.Hooked(q.State)
			state, err := store.Load(args[0])
			if err != nil {
				return err
			}
			if state.Where == "" {
				return fmt.Errorf("no hook is installed as %s", args[0])
			}
			s.Progress = nil
			f, err := s.Follower(q, store, commit.FromHook)
			if err != nil {
				return err
			}
			if fired {
				f.FoundSeveral = hook.ReportSeveral()
			}
			report := f.FollowPush(cmd.Context(), server.HookedRepository(s.Config, state), follow.ParseUpdates(string(updates)))
			if report.Busy { // for a minute; the next run finds the commits
				return disk.ErrLocked
			}
			return report.Err
		},
	}
	c.Flags().BoolVar(&fired, "fired", false, "a hook waits for it")
	c.Flags().BoolVar(&later, "later", false, "no hook waits for it")
	return c
}

// installChanges installs the hook by which vext remote sees changed refs.
func installChanges(ctx context.Context, a *app, path string) error {
	place, err := vcs.Locate(ctx, path, vcs.Git)
	if err != nil {
		return err
	}
	if err := hook.InstallChanges(place); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "installed in %s\n", place.Dir)
	return nil
}

func removeChanges(ctx context.Context, a *app, path string) error {
	place, err := vcs.Locate(ctx, path, vcs.Git)
	if err != nil {
		return err
	}
	had, err := hook.RemoveChanges(place)
	if err != nil {
		return err
	}
	printRemoved(a, place.Dir, had)
	return nil
}

func printRemoved(a *app, dir string, had bool) {
	what := "removed from"
	if !had {
		what = "no hook of vext was in"
	}
	fmt.Fprintf(a.stdout, "%s %s\n", what, dir)
}
