package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vext/internal/calendar"
	"vext/server"
	"vext/source/follow"
	"vext/source/hook"
)

func newHookStatus(a *app) *cobra.Command {
	var vcsFlag string
	var asJSON bool
	c := &cobra.Command{
		Use:   "status [REPO]",
		Short: "Show the state of the hook of one repository, or of all hooks",
		Example: `  vext hook status
  vext hook status --json | jq -r '.[] | select(.ok | not).name'`,
		Args:              takes(0, 1, "at most one repository"),
		ValidArgsFunction: completeHooked(a),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, kind, err := loadForHook(a, vcsFlag)
			if err != nil {
				return err
			}
			path := ""
			if len(args) > 0 {
				path = args[0]
			}
			states, err := s.Hooks(cmd.Context(), path, kind)
			if path != "" && err != nil {
				return err
			}
			all := []hookStatus{} // [] and not null
			wrong := false
			for _, state := range states {
				one := statusOf(cmd.Context(), state, s.Now())
				all, wrong = append(all, one), wrong || !one.OK
			}
			if asJSON {
				err = errors.Join(err, printJSON(a.stdout, all))
			} else if len(all) > 0 || err == nil {
				err = errors.Join(err, printHooks(a.stdout, styleFor(a.stdout), all, s.Config.Zone))
			}
			if wrong && err == nil {
				return exitCode(1)
			}
			return err
		},
	}
	addVCS(c, &vcsFlag)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// A hookStatus is the status of one hook.
type hookStatus struct {
	Name       string     `json:"name"`
	Repository string     `json:"repository"`
	VCS        string     `json:"vcs"`
	OK         bool       `json:"ok"`
	Registered bool       `json:"registered"` // vext hook install was run here
	Files      []hookFile `json:"files"`
	FilesError string     `json:"files_error,omitempty"`
	LastLook   *time.Time `json:"last_look,omitempty"` // that succeeded
	Failures   int        `json:"failures,omitempty"`  // in a row, since
	Failing    *time.Time `json:"failing,omitempty"`   // the first of them
	Missed     int        `json:"missed,omitempty"`    // times in the last week that a run found what the hook had not brought
	Error      string     `json:"error,omitempty"`     // the last of them
}

type hookFile struct {
	Path  string `json:"path"`
	State string `json:"state"`
}

func statusOf(ctx context.Context, s *follow.State, now time.Time) hookStatus {
	status := hookStatus{Name: s.Name, Repository: s.Where, VCS: string(s.Kind), Registered: s.Options != nil, Files: []hookFile{}, Failures: s.Failures}
	status.OK = status.Registered && s.Failures == 0
	if s.IsUnreliable(now) {
		status.OK, status.Missed = false, len(s.RecentMisses(now))
	}
	parts, err := server.HookParts(ctx, s)
	for _, part := range parts {
		status.OK = status.OK && part.State == hook.Installed
		status.Files = append(status.Files, hookFile{part.Path, part.State})
	}
	if err != nil {
		status.OK, status.FilesError = false, err.Error()
	}
	if s.Failures > 0 {
		status.Error, status.Failing = s.Error, &s.Failing
	}
	if !s.LastOK.IsZero() {
		status.LastLook = &s.LastOK
	}
	return status
}

func printHooks(w io.Writer, style style, all []hookStatus, zone *time.Location) error {
	var b strings.Builder
	if len(all) == 0 {
		fmt.Fprintln(&b, "no hook is installed")
	}
	for i := range all {
		s := &all[i]
		fmt.Fprintf(&b, "%s\n", style.bold(printable(s.Name)))
		fact := func(label, value string) {
			fmt.Fprintf(&b, "  %s  %s\n", style.dim(fmt.Sprintf("%-10s", label)), printable(value))
		}
		fact("repository", fmt.Sprintf("%s (%s)", s.Repository, s.VCS))
		for _, file := range s.Files {
			fact("hook", file.Path+": "+file.State)
		}
		if s.FilesError != "" {
			fact("hook", s.FilesError)
		}
		fact("state", s.words(zone))
		if s.Missed > 0 {
			fact("missed", fmt.Sprintf("%s in the last week, a run found commits that the hook had missed", calendar.Plural(s.Missed, "time")))
			fact("", follow.UnreliableHint)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// words returns when the repository was last read, and with which result.
func (s *hookStatus) words(zone *time.Location) string {
	switch {
	case !s.Registered:
		return "not installed"
	case s.Failures > 0:
		return fmt.Sprintf("failed %s, since %s: %s", calendar.Times(s.Failures), s.Failing.In(zone).Format("Mon 2 Jan 15:04"), s.Error)
	case s.LastLook == nil:
		return "never looked at"
	}
	return "last looked at " + s.LastLook.In(zone).Format("Mon 2 Jan 2006 15:04")
}
