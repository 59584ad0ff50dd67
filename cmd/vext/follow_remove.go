package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"vext/internal/config"
	"vext/internal/disk"
	"vext/internal/hint"
	"vext/server"
	"vext/source/follow"
)

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
	file, usual, err := config.Path(a.configPath)
	if err != nil {
		return err
	}
	if !usual {
		a.configPath = file
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
		_, err = fmt.Fprintf(a.stdout, "%s was no longer in %s; its copy and its position are removed\n", name, file)
		return err
	}
	fmt.Fprintf(a.stdout, "%s is no longer followed: its table is removed from %s, and its copy and its position are removed\n", name, file)
	fmt.Fprintf(a.stderr, "vext: hint: its queued reminders are still sent; a running vext serve follows it until restarted\n")
	return nil
}
