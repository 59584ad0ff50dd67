package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"vext/internal/commit"
	"vext/internal/config"
	"vext/internal/disk"
	"vext/internal/hint"
	"vext/internal/vcs"
	"vext/internal/weburl"
	"vext/server"
	"vext/source/follow"
)

type addOptions struct {
	mine, force bool
	config.Repository
}

func newFollowAdd(a *app) *cobra.Command {
	var opts addOptions
	c := &cobra.Command{
		Use:   "add URL",
		Short: "Follow a repository",
		Long: `Adds a repository to the configuration, and fetches it once, so that commits made
from now on are found. With --mine only your own commits count, those with the
address in your git configuration; reminders may go to that address, and vext
follow also sends those that are due. A line in your crontab is then enough.

A repository that can't be read now is added only if you confirm it, or with
--force. Commits made from now on are found once it can be read.`,
		Example: `  vext follow add https://git.example.org/widget.git --mine
  vext follow add --name src --branch main --from 2026-01-01 https://git.example.org/src.git`,
		Args: takes(1, 1, "one URL"),
		RunE: func(cmd *cobra.Command, args []string) error { return followAdd(a, cmd, args[0], &opts) },
	}
	flags := c.Flags()
	flags.BoolVar(&opts.mine, "mine", false, "follow only your own commits, and send you reminders")
	flags.BoolVar(&opts.force, "force", false, "add it even if it can't be read now")
	flags.StringVar(&opts.Name, "name", "", "name the repository `NAME` (default: the end of the URL)")
	flags.StringVar(&opts.From, "from", "", "count commits since this `COMMIT` or date (default: now)")
	flags.StringVar(&opts.VCS, "vcs", "", "its version control system, `git|hg|svn` (default: detect)")
	flags.StringArrayVar(&opts.Aliases, "alias", nil, "another `NAME` under which its commits arrive")
	flags.StringVar(&opts.Domain, "domain", "", "the domain of committers known only by a login: login@`DOMAIN`")
	flags.StringArrayVar(&opts.Branches, "branch", nil, "a branch that counts, or a `PATTERN` of branches (default: as configured)")
	return c
}

func followAdd(a *app, cmd *cobra.Command, where string, opts *addOptions) error {
	file, err := editable(a)
	if err != nil {
		return err
	}
	if _, err := os.Stat(where); err == nil { // a path, which cron would not find from where it runs
		if where, err = filepath.Abs(where); err != nil {
			return err
		}
	}
	command, err := server.Command(a.configPath, a.state)
	if err != nil {
		return err
	}
	add := &server.Addition{File: file, Repository: opts.Repository, Mine: opts.mine, Command: command}
	r := &add.Repository
	r.URL = weburl.Parse(where)
	r.Name = cmp.Or(r.Name, path.Base(commit.RepositoryName(r.URL.String())))
	before, err := add.Check()
	if err != nil {
		return err
	}
	force, err := reach(a, cmd.Context(), before, r, opts.force)
	if err != nil {
		return err
	}
	c, hints, err := add.Write(cmd.Context()) // before root becomes the owner of the state
	if err != nil {
		return err
	}
	failure, err := firstFetch(cmd.Context(), a, c)
	if err != nil {
		return err
	}
	if failure != nil {
		if !force {
			return hint.Wrap(failure, "it was added to "+file+", and vext follow retries it; to undo this: vext follow remove "+r.Name)
		}
		for line := range strings.Lines(strings.TrimSpace(failure.Error())) {
			fmt.Fprintf(a.stderr, "vext: warning: %s\n", printable(strings.TrimRight(line, "\n")))
		}
		hints = append(hints, "vext follow retries it; commits made from now on count")
	}
	if !c.Follow.Run {
		hints = append(hints, "restart vext serve if it runs; otherwise let cron run: vext follow --once")
	}
	fmt.Fprintf(a.stdout, "%s is followed, see %s\n", r.Name, file)
	a.hint(hints...)
	return nil
}

// editable returns the configuration that the user may change, and makes it that of the
// command.
func editable(a *app) (file string, err error) {
	file, usual, err := config.Path(a.configPath)
	if !usual {
		a.configPath = file
	}
	return file, err
}

// firstFetch fetches the last repository of a configuration, to which it was added.
// failure is the error of that repository.
func firstFetch(ctx context.Context, a *app, c *config.Config) (failure, err error) {
	a.makeState = true
	only := *c
	only.Follow.Run = false
	s, err := a.serverFor(&only)
	if err != nil {
		return nil, err
	}
	q, err := s.Queue()
	if err != nil {
		return nil, err
	}
	all := server.Repositories(c)
	added := all[len(all)-1:]
	if err := follow.Followed(q.State).Forget(ctx, added[0].Name); err != nil { // followed before
		return nil, err
	}
	return followOnce(ctx, a, s, added, true), nil
}

// reach finds out which version control system a repository has, and whether the
// user that will follow it can read it. When that user can't, reach asks at the
// terminal whether to add the repository all the same, and returns the answer.
func reach(a *app, ctx context.Context, c *config.Config, r *config.Repository, force bool) (bool, error) {
	kind, err := probeAsOwner(ctx, a, c, vcs.Kind(r.VCS), r.URL)
	if kind != "" { // else it is detected later
		r.VCS = string(kind)
	}
	switch {
	case err == nil:
		return force, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	case force || a.confirm("it can't be read: "+err.Error()+"\nfollow it anyway?"):
		return true, nil
	}
	advice := "nothing was changed; to add it anyway, use --force"
	if kind == "" {
		advice += "; to name the version control system: --vcs git, hg or svn"
	}
	return false, hint.Wrap(err, advice)
}

// probeAsOwner reads from a repository as the user that owns the state directory,
// whose credentials may differ from root's.
func probeAsOwner(ctx context.Context, a *app, c *config.Config, kind vcs.Kind, url weburl.URL) (vcs.Kind, error) {
	s, err := a.serverFor(c)
	if err != nil {
		return kind, err
	}
	state, err := s.StateDir()
	owner, _, known := disk.Owner(state)
	if os.Geteuid() != 0 || err != nil || !known || owner == 0 { // a later step reports an error
		return vcs.Probe(ctx, kind, url)
	}
	args, err := server.Command("", state)
	if err != nil {
		return kind, err
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, args[0], append(args[1:], "follow", "reach", "--vcs", string(kind))...)
	cmd.Dir = "/"                                                    // that user may not enter the present directory
	cmd.Stdin, cmd.Stderr = strings.NewReader(url.Reveal()), &stderr // not an argument: ps would show a password
	out, err := cmd.Output()
	found := vcs.Kind(strings.TrimSpace(string(out)))
	if err != nil && stderr.Len() > 0 {
		err = errors.New(strings.TrimSpace(strings.ReplaceAll(stderr.String(), "vext: error: ", "")))
	}
	return found, err
}

// newFollowReach returns the hidden command that probeAsOwner runs.
func newFollowReach(a *app) *cobra.Command {
	var kind string
	c := &cobra.Command{
		Use:    "reach",
		Hidden: true,
		Args:   noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			url, err := io.ReadAll(a.stdin)
			if err != nil {
				return err
			}
			if err := server.BecomeOwner(a.state); err != nil {
				return err
			}
			found, err := vcs.Probe(cmd.Context(), vcs.Kind(kind), weburl.Parse(string(url)))
			fmt.Fprintln(a.stdout, found)
			return err
		},
	}
	c.Flags().StringVar(&kind, "vcs", "", "its version control system")
	return c
}

func newFollowRemove(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Stop following a repository",
		Long: `Removes the table of the repository, with its aliases, from the configuration, and
its copy and its position from the state directory. The rest of the file, including
comments, stays as it is. Queued reminders are still sent. If the repository is
added again, commits made in between do not count.`,
		Example:           "  vext follow remove widget",
		Args:              takes(1, 1, "one name"),
		ValidArgsFunction: completeFollowed(a, 1),
		RunE:              func(cmd *cobra.Command, args []string) error { return followRemove(a, cmd.Context(), args[0]) },
	}
}

func followRemove(a *app, ctx context.Context, name string) error {
	file, err := editable(a)
	if err != nil {
		return err
	}
	c, name, removed, err := server.RemoveRepository(file, name) // before root becomes the owner of the state
	if err != nil {
		return err
	}
	s, err := a.serverFor(c)
	if err != nil {
		return err
	}
	q, err := s.Queue()
	if err != nil {
		return err
	}
	store := follow.Followed(q.State)
	if !removed && !store.Has(name) {
		_, err := chosen(c, []string{name})
		return err
	}
	err = store.Forget(ctx, name)
	if errors.Is(err, disk.ErrLocked) {
		return hint.Wrap(err, "its copy and its position are still there; once that process has ended, run vext follow remove "+name+" again")
	}
	if err != nil {
		return err
	}
	if !removed {
		fmt.Fprintf(a.stdout, "%s was no longer in %s; its copy and its position are removed\n", name, file)
		return nil
	}
	fmt.Fprintf(a.stdout, "%s is no longer followed: its table is removed from %s, and its copy and its position are removed\n", name, file)
	a.hint("its queued reminders are still sent; a running vext serve follows it until restarted")
	return nil
}
