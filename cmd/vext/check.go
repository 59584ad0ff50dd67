package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"vext/internal/config"
	"vext/internal/text"
	"vext/reminder"
	"vext/source"
	"vext/source/follow"
	"vext/source/hook"
	"vext/spool"
)

func newCheck(a *app) *cobra.Command {
	var asJSON bool
	limits := reminder.Limits{}
	c := &cobra.Command{
		Use:   "check",
		Short: "Check the service",
		Long: `Checks the configuration, the state directory, the connection to the mail server,
and when the last run, commit and reminder were. The exit status is what monitors
expect: 0 OK, 1 WARNING, 2 CRITICAL.`,
		Example: `  vext check
  vext check --max-age 2h --max-silence 168h`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings := []reminder.Finding{}
			s, c, err := a.checked()
			if errors.As(err, new(usageError)) {
				return err
			}
			err = a.forCommitter(err)
			switch {
			case spool.IsReplaced(err), errors.As(err, new(noStateError)):
				findings = append(findings, reminder.Finding{Level: reminder.Critical, What: "state directory", Text: err.Error(), Hint: hintFor(err)})
			case err != nil:
				findings = append(findings, reminder.Finding{Level: reminder.Critical, What: "configuration", Text: err.Error(), Hint: hintFor(err)})
			default:
				findings = append(findings, checkConfig(c))
				findings = append(findings, checkSecrets(c)...)
				findings = append(findings, s.Check(cmd.Context(), limits)...)
				findings = append(findings, source.Check(s.Queue, c, repositories(c), func(h *follow.State) ([]hook.Part, error) {
					return hookParts(cmd.Context(), h)
				})...)
				findings = append(findings, a.checkIRC(cmd.Context(), c, s.Queue.State, s.Queue.Now)...)
			}
			worst := reminder.OK
			for _, f := range findings {
				worst = max(worst, f.Level)
			}
			if asJSON {
				err = printJSON(a.stdout, findings)
			} else {
				err = printFindings(a.stdout, styleFor(a.stdout), findings)
			}
			if worst != reminder.OK && err == nil {
				return exitCode(worst)
			}
			return err
		},
	}
	flags := c.Flags()
	flags.DurationVar(&limits.MaxAge, "max-age", 36*time.Hour, "how old the last run may be")
	flags.DurationVar(&limits.MaxSilence, "max-silence", 30*24*time.Hour, "how long ago a commit may have been seen; 0 for no limit")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// checkConfig checks that the current user can read the configuration. When root
// runs the check, root has read the configuration, and the current user is that
// of the service.
func checkConfig(c *config.Config) reminder.Finding {
	f := reminder.Finding{What: "configuration", Text: cmp.Or(c.Path, "the defaults; there is no file")}
	if c.Path == "" {
		return f
	}
	file, err := os.Open(c.Path)
	if err != nil {
		f.Level, f.Text = reminder.Critical, fmt.Sprintf("%v for user %s, which owns the state directory and runs the service", err, currentUser())
		f.Hint = fmt.Sprintf("give it to the group of that user: chgrp %s %s && chmod 640 %[2]s", currentGroup(), c.Path)
		return f
	}
	file.Close()
	return f
}

// currentGroup returns the name of the group that the process runs as.
func currentGroup() string {
	id := strconv.Itoa(os.Getegid())
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
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

func printFindings(w io.Writer, s style, findings []reminder.Finding) error {
	var b strings.Builder
	wide := 15
	for _, f := range findings {
		wide = max(wide, runewidth.StringWidth(f.What))
	}
	for _, f := range findings {
		mark := map[reminder.Level]string{reminder.OK: s.green("OK      "), reminder.Warning: s.yellow("WARNING "), reminder.Critical: s.red("CRITICAL")}[f.Level]
		fmt.Fprintf(&b, "%s  %s  %s\n", mark, column(f.What, wide), printable(text.JoinLines(f.Text)))
		if f.Hint != "" {
			fmt.Fprintf(&b, "%*s %s\n", wide+11, "", s.dim(printable(f.Hint)))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
