package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"vext/internal/config"
	"vext/queue"
	"vext/reminder"
)

func newImport(a *app) *cobra.Command {
	var dryRun bool
	c := &cobra.Command{
		Use:   "import LOG",
		Short: "Take the history of MFCns in",
		Long: `Adds the reminders in a log of MFCns to the history, so that the statistics go
on where those of MFCns ended. Both forms of the log are understood, that of
Python 2 and that of Python 3. To import a log twice changes nothing. Its times
have no zone; they are taken to be in the configured one. - is standard input.`,
		Example: `  vext import /var/log/MFCns.log`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.makeState = !dryRun
			log, err := openInput(a, args[0])
			if err != nil {
				return err
			}
			defer log.Close()
			run := a.locked
			if dryRun { // it changes nothing, not even the lock
				run = a.unlocked
			}
			return run(cmd, func(q *queue.Queue, c *config.Config) error {
				n, err := reminder.ImportMFCns(q.History, log, c.Zone, dryRun, a.progress("importing"))
				if errors.Is(err, reminder.ErrNoLog) {
					return hinted{fmt.Errorf("%s: %w", args[0], err), `its lines are such as: Thu Aug  2 00:22:01 2001: MFC notification sent to "Jane Miller" <jane@FreeBSD.org>`}
				}
				if err != nil {
					return err
				}
				verb := "imported"
				if dryRun {
					verb = "would import"
				}
				_, err = fmt.Fprintf(a.stdout, "%s %d reminders; %d were known, %d lines are about something else\n", verb, n.New, n.Known, n.Other)
				return err
			})
		},
	}
	c.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "say what would be imported and change nothing")
	return c
}

func openInput(a *app, path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(a.stdin), nil
	}
	return os.Open(path)
}
