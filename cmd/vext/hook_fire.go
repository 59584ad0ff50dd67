package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"vext/internal/commit"
	"vext/internal/disk"
	"vext/server"
	"vext/source/follow"
	"vext/source/hook"
)

// newHookFire returns the command that the hooks run. It only starts a worker.
func newHookFire(a *app) *cobra.Command {
	var noWait bool
	c := &cobra.Command{
		Use:    "fire NAME",
		Hidden: true,
		Args:   takes(1, 1, "one name"),
		RunE: func(_ *cobra.Command, args []string) error {
			program, err := os.Executable()
			if err != nil {
				return err
			}
			worker := []string{program}
			if a.configPath != "" {
				worker = append(worker, "--config", a.configPath)
			}
			when := "--fired"
			if noWait {
				when = "--later"
			}
			return hook.Fire(a.stdin, append(worker, "--state", a.state, "hook", "work", when, "--", args[0]), !noWait)
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
