package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vext/internal/hint"
	"vext/internal/text"
	"vext/queue"
	"vext/reminder"
	"vext/server"
	"vext/server/control"
)

func newRun(a *app) *cobra.Command {
	var dryRun, quiet bool
	c := &cobra.Command{
		Use:   "run",
		Short: "Schedule new reminders and send those due",
		Long: `Gives every message in the spool its day, and sends the reminders that are due,
including those that became due while vext did not run. Start it from cron, once a
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
				for _, step := range steps {
					fmt.Fprintf(a.stdout, "%-10s %s\n", step.Action, printable(step.What))
					if step.Detail != "" {
						fmt.Fprintf(a.stdout, "           %s\n", printable(text.JoinLines(step.Detail)))
					}
				}
				if len(steps) == 0 && err == nil {
					fmt.Fprintln(a.stdout, "nothing to do")
				}
				return err
			}
			sum, err := s.Run(cmd.Context(), service)
			if errors.Is(err, queue.ErrLocked) {
				var locked *queue.LockedError
				if errors.As(err, &locked) && time.Since(locked.Since) > 2*reminder.MaxRun {
					return hint.Wrap(err, "that run takes too long; see what the process waits for, and kill it if it hangs")
				}
				a.hints = nil
				a.hint(err.Error() + "; that process does the work")
				return nil
			}
			_, watched := terminal(a.stdout)
			if !quiet && (watched || !sum.Empty()) {
				out := a.stdout
				if strings.HasPrefix(service.Mail.String(), "stdout:") { // the mails are there
					out = a.stderr
				}
				fmt.Fprintln(out, sum)
			}
			if !watched && sum.Empty() {
				a.hints = nil // cron would mail them
			}
			if sum.Quarantined > 0 {
				a.hint("vext list --failed shows the reasons; " + queue.QuarantineAdvice(sum.Unclear, sum.Quarantined))
			}
			if sum.Deferred > 0 && err != nil && hintFor(err) == "" {
				err = hint.Wrap(err, "what was not sent stays in the queue, and later runs retry it; vext check says whether the mail server can be reached")
			}
			return err
		},
	}
	c.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "print what would happen and change nothing")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print only errors and hints")
	return c
}

func newServe(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run vext as a service: send reminders, receive commits",
		Long: `Runs the processor at once, to catch up, and then on the configured schedule
(default: 22 minutes past midnight), until SIGTERM or SIGINT. As configured it also
receives webhooks of forges ([http] and [[hook]]) and mails by LMTP ([lmtp]),
follows repositories ([[repository]]), announces commits on IRC ([[announce]]) and
serves irker's clients ([irker]). It notifies systemd when it is ready. The
configuration is read once, at the start; the log goes to standard error, one line
an event.`,
		Example: `  vext serve
  systemctl enable --now vext    with contrib/systemd/vext.service`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.nowFlag != "" {
				return usageError{errors.New("--now: vext serve uses the system's clock")}
			}
			a.makeState = true
			s, err := a.load()
			if err != nil {
				return err
			}
			s.Log, s.Progress = a.log(slog.LevelInfo), nil
			for _, text := range a.hints {
				s.Log.Warn("old name in the configuration", "hint", text)
			}
			a.hints = nil
			return s.Serve(cmd.Context(), func(ctx context.Context, caller *control.Caller, r *control.Request) *control.Answer {
				return runFor(ctx, a, s, caller, r)
			})
		},
	}
}

// controlCommands are the commands that users may run through the control socket.
// None of their flags may name a file: vext serve, not the user, would open it.
var controlCommands = map[string]func(*app) *cobra.Command{"show": newShow, "remind": newRemind, "snooze": newSnooze, "cancel": newCancel, "mark": newMark}

// runFor runs a command for the user who sent it through the control socket.
func runFor(ctx context.Context, a *app, s *server.Server, caller *control.Caller, r *control.Request) *control.Answer {
	var out bytes.Buffer
	b := &app{stdin: strings.NewReader(""), stdout: &out, stderr: a.stderr, user: caller.Login, serving: s, caller: caller}
	err := executeFor(ctx, b, r)
	answer := &control.Answer{Output: out.Bytes(), Usage: errors.As(err, new(usageError))}
	if err != nil {
		answer.Error, answer.Hint = err.Error(), hintFor(err)
	}
	return answer
}

func executeFor(ctx context.Context, a *app, r *control.Request) error {
	newCommand, known := controlCommands[r.Command]
	if !known {
		return usageError{fmt.Errorf("%q is not a command of the control socket", r.Command)}
	}
	if len(a.caller.Addresses) == 0 {
		advice := "no address is configured for you; ask the operator of vext"
		if operator := a.serving.Config.Operator; operator != "" {
			advice += ", " + operator
		}
		return hint.Wrap(fmt.Errorf("user %s is not a committer here", a.caller.Login), advice)
	}
	cmd := newCommand(a)
	cmd.SetContext(ctx)
	for name, value := range r.Flags {
		if err := cmd.Flags().Set(name, value); err != nil {
			return usageError{err}
		}
	}
	if err := flagGroups(cmd); err != nil {
		return err
	}
	if err := cmd.Args(cmd, r.Args); err != nil {
		return err
	}
	return cmd.RunE(cmd, r.Args)
}
