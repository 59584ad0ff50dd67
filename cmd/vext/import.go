package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/hint"
	"vext/queue"
	"vext/reminder"
	"vext/server"
	"vext/source/follow"
)

// importOptions are the flags of vext import.
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
			a.makeState = !opts.dryRun
			if opts.repository != "" {
				return backfill(a, cmd, &opts)
			}
			return importLog(a, cmd, args[0], opts.dryRun)
		},
	}
	flags := c.Flags()
	flags.BoolVarP(&opts.dryRun, "dry-run", "n", false, "print what would be imported and change nothing")
	flags.StringVar(&opts.repository, "repository", "", "import past commits of the repository `NAME`")
	flags.StringVar(&opts.since, "since", "", "from the `DAY` on (2026-01-01)")
	return c
}

// importRun runs an import. The queue is locked unless the import changes nothing.
func importRun(ctx context.Context, a *app, dryRun bool, run func(*server.Server, *queue.Queue) error) error {
	if !dryRun {
		return a.locked(ctx, run)
	}
	s, q, err := a.open()
	if err != nil {
		return err
	}
	return run(s, q)
}

func importLog(a *app, cmd *cobra.Command, path string, dryRun bool) error {
	log, err := openInput(a, path)
	if err != nil {
		return err
	}
	defer log.Close()
	return importRun(cmd.Context(), a, dryRun, func(_ *server.Server, q *queue.Queue) error {
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
		_, err = fmt.Fprintf(a.stdout, "%s %s; %s known, %s about something else\n", verb, calendar.Plural(n.New, "reminder"),
			calendar.Verb(n.Known, "was", "were"), calendar.Verb(n.Other, "line is", "lines are"))
		return err
	})
}

// backfill imports past commits of a repository.
func backfill(a *app, cmd *cobra.Command, opts *importOptions) error {
	return importRun(cmd.Context(), a, opts.dryRun, func(s *server.Server, q *queue.Queue) error {
		since, err := calendar.ParseTime(opts.since, q.Zone)
		if err != nil {
			return usageError{fmt.Errorf("--since: %w", err)}
		}
		s.Log = a.log(quiet)
		b, name, err := s.Backfill(cmd.Context(), q, opts.repository, since, opts.dryRun)
		if err != nil {
			return err
		}
		return printBackfill(a, name, calendar.Of(since, q.Zone), b, opts.dryRun)
	})
}

func printBackfill(a *app, name string, since calendar.Day, b follow.Backfill, dryRun bool) error {
	asks := "ask"
	if b.Requests == 1 {
		asks = "asks"
	}
	_, err := fmt.Fprintf(a.stdout, "%s: of %s, %d made since %s %s for a reminder\n", name, calendar.Plural(b.Commits, "commit"), b.Requests, since.Long(), asks)
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
		if line.n > 0 && err == nil {
			_, err = fmt.Fprintf(a.stdout, "  %6d  %s\n", line.n, line.text)
		}
	}
	return errors.Join(err, printFailures(a.stdout, b.Failures))
}

// printFailures prints each request that is quarantined, and why. Advice that
// several have in common is printed once.
func printFailures(w io.Writer, failures []follow.BackfillFailure) error {
	var b strings.Builder
	for _, group := range queue.ByAdvice(failures, func(f *follow.BackfillFailure) string { return f.Reason }) {
		for _, f := range group {
			fmt.Fprintf(&b, "          %s  %s\n", printable(commit.ShortRevision(f.Revision)), printable(f.Subject))
			printWhy(&b, style{}, "            ", f.Reason)
		}
		printAdvice(&b, style{}, "            ", group[0].Reason, len(group), commit.ShortRevision(group[0].Revision))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func openInput(a *app, path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(a.stdin), nil
	}
	return os.Open(path)
}
