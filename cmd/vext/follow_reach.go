package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"vext/internal/config"
	"vext/internal/vcs"
	"vext/internal/weburl"
)

// reach finds out which version control system a repository has, and whether the
// user that will follow it can read it. When that user can't, reach asks at the
// terminal whether to add the repository all the same, and returns the answer.
func reach(a *app, ctx context.Context, c *config.Config, r *config.Repository, force bool) (bool, error) {
	kind, err := a.probe(ctx, c, vcs.Kind(r.VCS), r.URL)
	if kind != "" { // else it is to be found out later
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
	hint := "nothing was changed; to add it anyway, use --force"
	if kind == "" {
		hint += "; to name the version control system: --vcs git, hg or svn"
	}
	return false, hinted{err, hint}
}

// probe reads from a repository as the user that owns the state directory, whose
// credentials may differ from root's.
func (a *app) probe(ctx context.Context, c *config.Config, kind vcs.Kind, url weburl.URL) (vcs.Kind, error) {
	state, err := a.stateDir(c)
	info, statErr := os.Stat(state)
	if os.Geteuid() != 0 || err != nil || statErr != nil { // said by whoever needs the state
		return probe(ctx, kind, url)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || owner.Uid == 0 {
		return probe(ctx, kind, url)
	}
	args, err := command("", state)
	if err != nil {
		return kind, err
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, args[0], append(args[1:], "follow", "reach", "--vcs", string(kind))...)
	cmd.Dir = "/"                                                  // that user may not enter where root is
	cmd.Stdin, cmd.Stderr = strings.NewReader(url.Reveal()), &said // where ps shows no password
	out, err := cmd.Output()
	found := vcs.Kind(strings.TrimSpace(string(out)))
	if err != nil && said.Len() > 0 {
		err = errors.New(strings.TrimSpace(strings.ReplaceAll(said.String(), "vext: error: ", "")))
	}
	return found, err
}

// probe reads from a repository, and returns its version control system, "" when
// none can read it.
func probe(ctx context.Context, kind vcs.Kind, url weburl.URL) (vcs.Kind, error) {
	if kind == "" {
		var err error
		if kind, err = vcs.Detect(ctx, url); err != nil {
			return "", err
		}
	}
	return kind, vcs.Reach(ctx, kind, url)
}

// newFollowReach returns the hidden command by which root runs probe as the owner
// of the state directory.
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
			if err := becomeOwner(a.state); err != nil {
				return err
			}
			found, err := probe(cmd.Context(), vcs.Kind(kind), weburl.Parse(string(url)))
			fmt.Fprintln(a.stdout, found)
			return err
		},
	}
	c.Flags().StringVar(&kind, "vcs", "", "what keeps it")
	return c
}
