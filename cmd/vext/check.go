package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"vext/health"
	"vext/internal/config"
	"vext/internal/text"
	"vext/outbox"
	"vext/reminder"
	"vext/source/follow"
	"vext/source/hook"
	"vext/spool"
)

func newCheck(a *app) *cobra.Command {
	var asJSON bool
	checker := &health.Checker{}
	c := &cobra.Command{
		Use:   "check",
		Short: "Check the service",
		Long: `Checks the configuration, the state directory, the mail server, each source of
commits and IRC; reports the last run, commit and reminder, and what is pending.
The first line is for monitors. Exit status: 0 OK, 1 WARNING, 2 CRITICAL.`,
		Example: `  vext check
  vext check --max-age 2h --max-silence 168h`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings, err := a.check(cmd.Context(), checker)
			if err != nil {
				return err
			}
			level, summary := health.Summary(findings)
			if asJSON {
				err = printJSON(a.stdout, findings)
			} else {
				err = printFindings(a.stdout, styleFor(a.stdout), summary, findings)
			}
			if level != health.OK && err == nil {
				return exitCode(level)
			}
			return err
		},
	}
	flags := c.Flags()
	flags.DurationVar(&checker.MaxAge, "max-age", 36*time.Hour, "how old the last run may be")
	flags.DurationVar(&checker.MaxSilence, "max-silence", 30*24*time.Hour, "how old the last commit may be; 0 for no limit")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// check returns all findings. What keeps vext from reading its configuration or its
// state directory is a finding, and wrong usage an error.
func (a *app) check(ctx context.Context, checker *health.Checker) ([]health.Finding, error) {
	s, c, err := a.checked()
	if errors.As(err, new(usageError)) {
		return nil, err
	}
	if err = a.forCommitter(err); err != nil {
		f := health.Finding{Level: health.Critical, What: "configuration", Text: err.Error(), Hint: hintFor(err)}
		if spool.IsReplaced(err) || errors.As(err, new(noStateError)) {
			f.What = "state directory"
		}
		return []health.Finding{f}, nil
	}
	checker.Queue, checker.Config, checker.Mail, checker.WithoutMail = s.Queue, c, s.Mail, s.WithoutMail
	var names []string
	for _, r := range repositories(c) {
		names = append(names, r.Name)
	}
	findings := checker.Check(ctx)
	findings = append(findings, follow.Check(checker, names, func(h *follow.State) ([]string, error) { return brokenParts(ctx, h) })...)
	return append(findings, a.checkIRC(ctx, checker)...), nil
}

// brokenParts returns the files of a hook that are not as they were installed.
func brokenParts(ctx context.Context, s *follow.State) (broken []string, err error) {
	parts, err := hookParts(ctx, s)
	for _, part := range parts {
		if part.State != hook.Installed {
			broken = append(broken, part.Path+": "+part.State)
		}
	}
	return broken, err
}

// checkIRC returns the findings about IRC, none when IRC is not used.
func (a *app) checkIRC(ctx context.Context, checker *health.Checker) []health.Finding {
	if _, err := ircSettings(checker.Config); err != nil {
		return []health.Finding{{Level: health.Critical, What: "irc", Text: err.Error(), Hint: "see [irc] and [[network]] in vext.toml(5)"}}
	}
	if !outbox.Exists(checker.Queue.State) {
		return nil
	}
	status, err := a.ircStatus(ctx, checker.Queue.State)
	switch {
	case errors.Is(err, outbox.ErrInUse):
		return []health.Finding{{What: "irc", Text: "another vext is sending"}}
	case err != nil:
		return []health.Finding{{Level: health.Critical, What: "irc", Text: err.Error()}}
	}
	return checker.IRC(status.Running, status.Networks)
}

// checked returns the service and its configuration.
func (a *app) checked() (*reminder.Service, *config.Config, error) {
	q, c, err := a.openQueue()
	if err != nil {
		return nil, nil, err
	}
	if dir, err := os.Open(q.State); err == nil {
		dir.Close()
	} else if errors.Is(err, fs.ErrPermission) {
		return nil, nil, noStateError{err}
	}
	s, err := a.serviceFor(q, c)
	return s, c, err
}

// printFindings prints the summary for monitors, and then a table.
func printFindings(w io.Writer, s style, summary string, findings []health.Finding) error {
	var b strings.Builder
	fmt.Fprintln(&b, printable(text.JoinLines(summary)))
	wide := 15
	for _, f := range findings {
		wide = max(wide, runewidth.StringWidth(f.What))
	}
	colors := map[health.Level]func(string) string{health.OK: s.green, health.Warning: s.yellow, health.Critical: s.red}
	for _, f := range findings {
		fmt.Fprintf(&b, "%s  %s  %s\n", colors[f.Level](fmt.Sprintf("%-8s", f.Level)), column(f.What, wide), printable(text.JoinLines(f.Text)))
		if f.Hint != "" {
			fmt.Fprintf(&b, "%*s %s\n", wide+11, "", s.dim(printable(f.Hint)))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
