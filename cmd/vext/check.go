package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"vext/health"
	"vext/internal/text"
	"vext/server"
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
			findings, err := runCheck(cmd.Context(), a, checker)
			if err != nil {
				return err
			}
			level, summary := health.Summary(findings)
			if asJSON {
				err = printJSON(a.stdout, findings)
			} else {
				printFindings(a.stdout, styleFor(a.stdout), summary, findings)
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

// runCheck returns all findings. What keeps vext from reading its configuration or its
// state directory is a finding, and wrong usage an error.
func runCheck(ctx context.Context, a *app, checker *health.Checker) ([]health.Finding, error) {
	s, err := a.load()
	var findings []health.Finding
	if err == nil {
		findings, err = s.Check(ctx, checker)
	}
	if errors.As(err, new(usageError)) {
		return nil, err
	}
	if err = a.forCommitter(err); err != nil {
		f := health.Finding{Level: health.Critical, What: "configuration", Text: err.Error(), Hint: hintFor(err)}
		if spool.IsReplaced(err) || errors.As(err, new(server.NoStateError)) {
			f.What = "state directory"
		}
		return []health.Finding{f}, nil
	}
	return findings, nil
}

func printFindings(w io.Writer, s style, summary string, findings []health.Finding) {
	fmt.Fprintln(w, printable(text.JoinLines(summary)))
	wide := 15
	for _, f := range findings {
		wide = max(wide, runewidth.StringWidth(f.What))
	}
	colors := map[health.Level]func(string) string{health.OK: s.green, health.Warning: s.yellow, health.Critical: s.red}
	for _, f := range findings {
		fmt.Fprintf(w, "%s  %s  %s\n", colors[f.Level](fmt.Sprintf("%-8s", f.Level)), column(f.What, wide), printable(text.JoinLines(f.Text)))
		if f.Hint != "" {
			fmt.Fprintf(w, "%*s %s\n", wide+11, "", s.dim(printable(f.Hint)))
		}
	}
}
