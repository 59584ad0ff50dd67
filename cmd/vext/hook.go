package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"vext/internal/vcs"
	"vext/server"
)

func newHook(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "hook",
		Short: "Install a hook into a repository on this machine",
		Long: `Installs a hook into a git, Mercurial or Subversion repository. The hook spools each
new commit on a branch that counts. It delays a push by some hundredths of a second
and never makes it fail. The next "vext run" finds commits that the hook missed, for
example because the disk was full.

A hook that is already there keeps working, and stays after "vext hook remove".`,
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

// addVCS adds the flag --vcs.
func addVCS(c *cobra.Command, kind *string) {
	c.Flags().StringVar(kind, "vcs", "", "the version control system of the repository, `git|hg|svn` (default: detect)")
	c.RegisterFlagCompletionFunc("vcs", cobra.FixedCompletions([]string{"git", "hg", "svn"}, cobra.ShellCompDirectiveNoFileComp))
}

// loadForHook reads the configuration, and the value of --vcs.
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
	var opts server.HookOptions
	var vcsFlag string
	c := &cobra.Command{
		Use:   "install REPO",
		Short: "Install the hook, or update it",
		Args:  takes(1, 1, "one repository"),
		Example: `  vext hook install /srv/git/widget.git
  vext hook install --name src --branch main --branch 'stable/*' ~/src`,
		RunE: func(cmd *cobra.Command, args []string) error {
			a.makeState = true
			s, kind, err := loadForHook(a, vcsFlag)
			if err != nil {
				return err
			}
			opts.VCS = kind
			s.Log = a.log(quiet)
			r, err := s.InstallHook(cmd.Context(), args[0], opts)
			if err != nil {
				return err
			}
			for _, text := range r.Messages {
				fmt.Fprintf(a.stderr, "vext: %s: %s\n", r.Name, printable(text))
			}
			for _, text := range r.Hints {
				fmt.Fprintf(a.stderr, "vext: hint: %s: %s\n", r.Name, text)
			}
			_, err = fmt.Fprintf(a.stdout, "installed in %s, as %s\n", r.Dir, r.Name)
			return err
		},
	}
	addVCS(c, &vcsFlag)
	c.Flags().StringVar(&opts.Name, "name", "", "name the repository `NAME` (default: its directory)")
	c.Flags().StringVar(&opts.Domain, "domain", "", "the domain of committers known only by a login: login@`DOMAIN`")
	c.Flags().StringArrayVar(&opts.Branches, "branch", nil, "a branch that counts, or a `PATTERN` of branches (default: as configured)")
	return c
}

func newHookRemove(a *app) *cobra.Command {
	var vcsFlag string
	c := &cobra.Command{
		Use:   "remove REPO",
		Short: "Remove the hook, and restore the one before it",
		Args:  takes(1, 1, "one repository"),

		ValidArgsFunction: completeHooked(a),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, kind, err := loadForHook(a, vcsFlag)
			if err != nil {
				return err
			}
			dir, had, err := s.RemoveHook(cmd.Context(), args[0], kind)
			if err != nil {
				return err
			}
			what := "removed from"
			if !had {
				what = "no hook of vext was in"
			}
			_, err = fmt.Fprintf(a.stdout, "%s %s\n", what, dir)
			return err
		},
	}
	addVCS(c, &vcsFlag)
	return c
}
