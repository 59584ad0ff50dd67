package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/hint"
	"vext/queue"
	"vext/reminder"
	"vext/server"
	"vext/source/follow"
)

type importOptions struct {
	dryRun            bool
	repository, since string
}

func newImport(a *app) *cobra.Command {
	var opts importOptions
	c := &cobra.Command{
		Use:   "import LOG | import --repository NAME --since DAY",
		Short: "Import a log of MFCns, or past commits of a repository",
		Long: `Adds the reminders in a log of MFCns to the history, so that statistics include
them. Logs of both versions of MFCns, for Python 2 and for Python 3, are read.
Importing a log twice changes nothing. Times in the log have no zone; they are read
as times of the configured zone. - is standard input.

With --repository it reads the commits of a repository that is followed, or that
has a hook of vext, since a day. Reminders due before today are recorded and not
sent, later ones are queued, and those that vext knows already stay as they are.`,
		Example: `  vext import /var/log/MFCns.log
  vext import --repository src --since 2026-01-01 --dry-run`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case opts.repository == "" && opts.since != "":
				return usageError{errors.New("--since goes with --repository NAME")}
			case opts.repository == "":
				return takes(1, 1, "one log")(cmd, args)
			case opts.since == "":
				return usageError{errors.New("--repository goes with --since DAY")}
			}
			return noArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			log := a.stdin
			if opts.repository == "" && args[0] != "-" {
				// Before root becomes the owner of the state directory, who may not read it.
				file, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer file.Close()
				log = file
			}
			run := func(s *server.Server, q *queue.Queue) error {
				if opts.repository != "" {
					return backfill(cmd.Context(), a, s, q, &opts)
				}
				return importLog(a, q, args[0], log, opts.dryRun)
			}
			if !opts.dryRun {
				a.makeState = true
				return a.locked(cmd.Context(), run)
			}
			s, q, err := a.open()
			if err != nil {
				return err
			}
			return run(s, q)
		},
	}
	flags := c.Flags()
	flags.BoolVarP(&opts.dryRun, "dry-run", "n", false, "print what would be imported and change nothing")
	flags.StringVar(&opts.repository, "repository", "", "import past commits of the repository `NAME`")
	flags.StringVar(&opts.since, "since", "", "from the `DAY` on (2026-01-01)")
	completeRepository(a, c)
	return c
}

func importLog(a *app, q *queue.Queue, path string, log io.Reader, dryRun bool) error {
	n, err := reminder.ImportMFCns(q.History, log, q.Zone, dryRun, a.progress("importing"))
	if errors.Is(err, reminder.ErrNoLog) {
		return hint.Wrap(fmt.Errorf("%s: %w", path, err), `its lines look like: Thu Aug  2 00:22:01 2001: MFC notification sent to "Jane Miller" <jane@FreeBSD.org>`)
	}
	if err != nil {
		return err
	}
	verb := "imported"
	if dryRun {
		verb = "would import"
	}
	fmt.Fprintf(a.stdout, "%s %s; %s known, %s about something else\n", verb, calendar.Plural(n.New, "reminder"),
		calendar.Verb(n.Known, "was", "were"), calendar.Verb(n.Other, "line is", "lines are"))
	return nil
}

func backfill(ctx context.Context, a *app, s *server.Server, q *queue.Queue, opts *importOptions) error {
	since, err := calendar.ParseTime(opts.since, q.Zone)
	if err != nil {
		return usageError{fmt.Errorf("--since: %w", err)}
	}
	s.Log = a.log(quiet)
	b, name, err := s.Backfill(ctx, q, opts.repository, since, opts.dryRun)
	if err != nil {
		return err
	}
	printBackfill(a.stdout, name, calendar.Of(since, q.Zone), b, opts.dryRun)
	return nil
}

func printBackfill(w io.Writer, name string, since calendar.Day, b follow.Backfill, dryRun bool) {
	asks := "ask"
	if b.Requests == 1 {
		asks = "asks"
	}
	fmt.Fprintf(w, "%s: of %s, %d made since %s %s for a reminder\n", name, calendar.Plural(b.Commits, "commit"), b.Requests, since.Long(), asks)
	verb := func(n int) string {
		switch {
		case dryRun:
			return "would be"
		case n == 1:
			return "was"
		}
		return "were"
	}
	for _, line := range []struct {
		n    int
		text string
	}{
		{b.Missed, "due before today: " + verb(b.Missed) + " recorded, not sent"},
		{b.Queued, verb(b.Queued) + " queued"},
		{b.Known, "known already"},
		{b.Ignored, "not counted: copies of others, or not on a branch that counts"},
		{b.Quarantined, "not understood, or for a recipient that allow does not list: " + verb(b.Quarantined) + " quarantined"},
	} {
		if line.n > 0 {
			fmt.Fprintf(w, "  %6d  %s\n", line.n, line.text)
		}
	}
	// Advice that several have in common is printed once.
	for _, group := range queue.ByAdvice(b.Failures, func(f *follow.BackfillFailure) string { return f.Reason }) {
		for _, f := range group {
			fmt.Fprintf(w, "          %s  %s\n", printable(commit.ShortRevision(f.Revision)), printable(f.Subject))
			printWhy(w, style{}, "            ", f.Reason)
		}
		printAdvice(w, style{}, "            ", group[0].Reason, len(group), commit.ShortRevision(group[0].Revision))
	}
}
