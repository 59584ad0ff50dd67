package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vext/internal/hint"
	"vext/internal/text"
	"vext/queue"
	"vext/reminder"
)

func newRun(a *app) *cobra.Command {
	var dryRun, quiet bool
	c := &cobra.Command{
		Use:   "run",
		Short: "Schedule new reminders and send those due",
		Long: `Schedules every message of the spool for its day, and sends the reminders that are
due, including those that became due while nothing ran. Start it from cron, once a
day or every minute; two runs at the same time do no harm.`,
		Example: `  vext run
  vext run --dry-run                  what a run would do
  vext run --dry-run --now 2026-12-04 what a run would do on that day`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.makeState = !dryRun
			s, q, err := a.open()
			if err != nil {
				return err
			}
			service, err := s.Service(q)
			if err != nil {
				return err
			}
			if dryRun {
				steps, err := s.Preview(service)
				return errors.Join(err, printPreview(a.stdout, steps, err == nil))
			}
			sum, err := s.Run(cmd.Context(), service)
			if errors.Is(err, queue.ErrLocked) {
				var locked *queue.LockedError
				if errors.As(err, &locked) && time.Since(locked.Since) > 2*reminder.MaxRun {
					return hint.Wrap(err, "that run takes too long; see what the process waits for, and kill it if it hangs")
				}
				a.hints = nil
				fmt.Fprintf(a.stderr, "vext: hint: %v; that process does the work\n", err)
				return nil
			}
			_, watched := terminal(a.stdout)
			if !quiet && (watched || !sum.Empty()) {
				fmt.Fprintln(summaryWriter(a, service), sum)
			}
			if !watched && sum.Empty() {
				a.hints = nil // cron would mail them
			}
			if sum.Quarantined > 0 {
				fmt.Fprintln(a.stderr, "vext: hint: vext list --failed shows the reasons; "+queue.QuarantineAdvice(sum.Unclear, sum.Quarantined))
			}
			return err
		},
	}
	c.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "print what would happen and change nothing")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print only errors and hints")
	return c
}

// summaryWriter returns standard error when the mails go to standard output.
func summaryWriter(a *app, s *reminder.Service) io.Writer {
	if strings.HasPrefix(s.Mail.String(), "stdout:") {
		return a.stderr
	}
	return a.stdout
}

func printPreview(w io.Writer, steps []reminder.Step, isWhole bool) error {
	var b strings.Builder
	for _, step := range steps {
		fmt.Fprintf(&b, "%-10s %s%s\n", step.Action, printable(step.What), detail(step.Detail))
	}
	if len(steps) == 0 && isWhole {
		b.WriteString("nothing to do\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func detail(reason string) string {
	if reason == "" {
		return ""
	}
	return "\n           " + printable(text.JoinLines(reason))
}
