package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"vext/internal/commit"
	"vext/internal/config"
	"vext/internal/disk"
	"vext/internal/vcs"
	"vext/source/follow"
	"vext/source/hook"
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

// hookOptions are the flags of vext hook.
type hookOptions struct {
	vcs, name, domain string
	branches          []string
}

func (o *hookOptions) addVCS(c *cobra.Command) {
	c.Flags().StringVar(&o.vcs, "vcs", "", "the version control system of the repository, `git|hg|svn` (default: detect)")
	c.RegisterFlagCompletionFunc("vcs", cobra.FixedCompletions([]string{"git", "hg", "svn"}, cobra.ShellCompDirectiveNoFileComp))
}

func newHookInstall(a *app) *cobra.Command {
	var opts hookOptions
	c := &cobra.Command{
		Use:   "install REPO",
		Short: "Install the hook, or update it",
		Args:  takes(1, 1, "one repository"),
		Example: `  vext hook install /srv/git/widget.git
  vext hook install --name src --branch main --branch 'stable/*' ~/src`,
		RunE: func(cmd *cobra.Command, args []string) error { return installHook(a, cmd, args[0], &opts) },
	}
	opts.addVCS(c)
	c.Flags().StringVar(&opts.name, "name", "", "name the repository `NAME` (default: its directory)")
	c.Flags().StringVar(&opts.domain, "domain", "", "the domain of committers known only by a login: login@`DOMAIN`")
	c.Flags().StringArrayVar(&opts.branches, "branch", nil, "a branch that counts, or a `PATTERN` of branches (default: as configured)")
	return c
}

func installHook(a *app, cmd *cobra.Command, path string, opts *hookOptions) error {
	a.makeState = true
	c, err := a.load()
	if err != nil {
		return err
	}
	place, err := locate(cmd.Context(), path, opts.vcs)
	if err != nil {
		return err
	}
	state, err := a.stateDir(c)
	if err != nil {
		return err
	}
	if state, err = filepath.Abs(state); err != nil {
		return err
	}
	store := follow.Hooked(state)
	name := commit.RepositoryName(opts.name)
	if there, err := store.At(place.Dir); name == "" && err == nil && there != nil {
		name = there.Name
	}
	if name == "" {
		name = place.Name
	}
	known, err := store.Load(name)
	if errors.Is(err, disk.ErrUntrusted) { // it is written anew
		known, err = &follow.State{}, nil
	}
	if err != nil {
		return err
	}
	if known.Where != "" && known.Where != place.Dir {
		return hinted{fmt.Errorf("%s is already the name of %s", name, known.Where), "choose another with --name"}
	}
	if other, err := store.At(place.Dir); err != nil {
		return err
	} else if other != nil && other.Name != name {
		return hinted{fmt.Errorf("%s already has a hook, as %s", place.Dir, other.Name), "remove that hook first: vext hook remove " + path}
	}
	h, err := hookFor(c, place, state, name)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 { // nothing is put in that can't be registered
		unlock, err := store.Lock(cmd.Context(), name, 0)
		if err != nil {
			return hinted{err, "the user who installs the hook must be able to write to hooks, spool and tmp in " + state + "; see vext-queue(7), PERMISSIONS"}
		}
		unlock()
	}
	// As whoever runs this: the state directory's owner can't write there.
	made, err := h.Install()
	if errors.Is(err, fs.ErrPermission) {
		return hinted{err, "install it as the owner of the repository, or as root"}
	}
	if errors.Is(err, hook.ErrShared) {
		return hinted{err, "vext also finds its commits without a hook: vext follow add " + place.Dir}
	}
	if err != nil {
		return err
	}
	options := &follow.Options{Branches: opts.branches, Domain: opts.domain, Command: h.Command, Made: made}
	return a.registerHook(cmd, c, place, name, options)
}

// registerHook notes where the branches stand: what comes behind that is new.
func (a *app) registerHook(cmd *cobra.Command, c *config.Config, place *vcs.Place, name string, options *follow.Options) error {
	q, err := a.open(c)
	if err != nil {
		return err
	}
	store := follow.Hooked(q.State)
	s, err := store.Register(cmd.Context(), name, place.Dir, place.Kind, options)
	if err != nil {
		return err
	}
	f, err := a.follower(q, c, store, commit.FromHook, a.log(slog.LevelError+1))
	if err != nil {
		return err
	}
	report := f.FollowPush(cmd.Context(), hookedRepository(c, s), nil)
	if report.Busy {
		return hinted{disk.ErrLocked, "run vext hook install again"}
	}
	if report.Err != nil {
		return hinted{report.Err, "the hook is installed; once this is fixed, run vext hook install again"}
	}
	for _, text := range report.Messages {
		fmt.Fprintf(a.stderr, "vext: %s: %s\n", name, printable(text))
	}
	if place.Kind == vcs.Svn && hookedRepository(c, s).Domain == "" {
		fmt.Fprintf(a.stderr, "vext: hint: %s: Subversion has logins and no addresses; without --domain DOMAIN no mail can be sent\n", name)
	}
	if !mayWrite(place.Dir, q.Spool.Dir()) {
		fmt.Fprintf(a.stderr, "vext: hint: %s: commits are found only by the next run, because the repository's owner can't write to hooks, spool and tmp in %s; "+
			"see vext-queue(7), PERMISSIONS\n", name, q.State)
	}
	if owner, err := os.Stat(q.State); err == nil {
		if stat, ok := owner.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() && os.Geteuid() != 0 {
			fmt.Fprintf(a.stderr, "vext: hint: %s: vext run ignores a hook that a user other than the owner of %s has installed, and does not look for commits that this hook misses: "+
				"run vext hook install again as root\n", name, q.State)
		}
	}
	_, err = fmt.Fprintf(a.stdout, "installed in %s, as %s\n", place.Dir, name)
	return err
}

// mayWrite reports whether the owner of a repository, as whom its server runs
// the hook, may well write to a directory.
func mayWrite(repository, dir string) bool {
	server, err := os.Stat(repository)
	if err != nil {
		return true // that will be said
	}
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		info, err = os.Stat(filepath.Dir(dir)) // in which it will be made
	}
	if err != nil {
		return true
	}
	user, isA := server.Sys().(*syscall.Stat_t)
	owner, isB := info.Sys().(*syscall.Stat_t)
	return !isA || !isB || user.Uid == 0 || user.Uid == owner.Uid || info.Mode().Perm()&0o020 != 0
}

func locate(ctx context.Context, path, kind string) (*vcs.Place, error) {
	switch vcs.Kind(kind) {
	case "", vcs.Git, vcs.Hg, vcs.Svn:
	default:
		return nil, usageError{fmt.Errorf("--vcs: %q is none of git, hg and svn", kind)}
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	return vcs.Locate(ctx, path, vcs.Kind(kind))
}

// hookFor returns the hook of a repository, which runs this very program with
// the configuration and the state directory that it has now.
func hookFor(c *config.Config, place *vcs.Place, state, name string) (*hook.Hook, error) {
	command, err := command(c.Path, state) // whoever runs the hook has another environment, or none
	if err != nil {
		return nil, err
	}
	command = append(command, "hook", "fire")
	if place.Kind != vcs.Git {
		command = append(command, "--no-wait") // hg and svn alone take longer than a hook may
	}
	return &hook.Hook{Place: place, Command: append(command, "--", name)}, nil
}

// hooks returns the configuration, and the store of the repositories with a
// hook.
func (a *app) hooks() (*config.Config, follow.Store, error) {
	c, err := a.load()
	if err != nil {
		return nil, follow.Store{}, err
	}
	state, err := a.stateDir(c)
	return c, follow.Hooked(state), err
}

func newHookRemove(a *app) *cobra.Command {
	var opts hookOptions
	c := &cobra.Command{
		Use:   "remove REPO",
		Short: "Remove the hook, and restore the one before it",
		Args:  takes(1, 1, "one repository"),

		ValidArgsFunction: a.completeHooked,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, store, err := a.hooks()
			if err != nil {
				return err
			}
			place, err := locate(cmd.Context(), args[0], opts.vcs)
			if errors.Is(err, fs.ErrNotExist) {
				if place = lost(store, args[0]); place != nil {
					err = nil
				}
			}
			if err != nil {
				return err
			}
			known, err := store.At(place.Dir)
			if err != nil {
				return err
			}
			h := &hook.Hook{Place: place}
			made := known != nil && known.Options != nil && known.Options.Made
			was, err := h.Parts() // also where what was known of it is lost
			if err == nil {
				err = h.Remove(made)
			}
			if err != nil {
				return err
			}
			if known != nil {
				q, err := a.open(c)
				if err != nil {
					return err
				}
				if err := follow.Hooked(q.State).Forget(cmd.Context(), known.Name); err != nil {
					return err
				}
			}
			what := "removed from"
			if known == nil && !slices.ContainsFunc(was, func(p hook.Part) bool { return p.State != hook.Missing }) {
				what = "no hook of vext was in"
			}
			_, err = fmt.Fprintf(a.stdout, "%s %s\n", what, place.Dir)
			return err
		},
	}
	opts.addVCS(c)
	return c
}

// lost returns where a repository with a hook was that is no longer there, nil
// for one that is not known.
func lost(store follow.Store, path string) *vcs.Place {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	for _, dir := range []string{path, filepath.Join(path, ".git")} {
		if s, _ := store.At(dir); s != nil {
			return &vcs.Place{Kind: s.Kind, Dir: dir, Hooks: filepath.Join(dir, "hooks")}
		}
	}
	return nil
}
