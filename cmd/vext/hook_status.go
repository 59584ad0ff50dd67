package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"vext/internal/calendar"
	"vext/internal/config"
	"vext/source/follow"
	"vext/source/hook"
)

func newHookStatus(a *app) *cobra.Command {
	var opts hookOptions
	c := &cobra.Command{
		Use:   "status [REPO]",
		Short: "Say how the hooks stand: of one repository, or of all",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, store, err := a.hooks()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				states, err := store.All()
				err = errors.Join(append(store.Untrusted(), err)...)
				if len(states) == 0 && err == nil {
					_, err = fmt.Fprintln(a.stdout, "no hook is installed")
				}
				for _, s := range states {
					err = errors.Join(err, a.printHook(cmd, c, s))
				}
				return err
			}
			place, err := locate(cmd.Context(), args[0], opts.vcs)
			if err != nil {
				return err
			}
			known, err := store.At(place.Dir)
			if err != nil {
				return err
			}
			if known == nil {
				known = &follow.State{Name: place.Name, Where: place.Dir, Kind: place.Kind}
			}
			return a.printHook(cmd, c, known)
		},
	}
	opts.addVCS(c)
	return c
}

// hookParts returns the files of the hook in a repository that has one.
func hookParts(ctx context.Context, s *follow.State) ([]hook.Part, error) {
	place, err := locate(ctx, s.Where, string(s.Kind))
	if err != nil {
		return nil, err
	}
	h := &hook.Hook{Place: place}
	if s.Options != nil {
		h.Command = s.Options.Command
	}
	return h.Parts()
}

// printHook prints how one hook stands. It ends with 1 when something is wrong
// with it.
func (a *app) printHook(cmd *cobra.Command, c *config.Config, s *follow.State) error {
	style := styleFor(a.stdout)
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", style.bold(printable(s.Name)))
	fact := func(label, value string) {
		fmt.Fprintf(&b, "  %s  %s\n", style.dim(fmt.Sprintf("%-10s", label)), printable(value))
	}
	fact("repository", fmt.Sprintf("%s (%s)", s.Where, s.Kind))
	wrong := false
	parts, err := hookParts(cmd.Context(), s)
	for _, part := range parts {
		wrong = wrong || part.State != hook.Installed
		fact("hook", part.Path+": "+part.State)
	}
	if err != nil {
		wrong = true
		fact("hook", err.Error())
	}
	switch {
	case s.Options == nil:
		wrong = true
		fact("state", "not installed")
	case s.Failures > 0:
		wrong = true
		fact("state", fmt.Sprintf("failed %s, since %s: %s", calendar.Plural(s.Failures, "time"), s.Failing.In(c.Zone).Format("Mon 2 Jan 15:04"), s.Error))
	case s.LastOK.IsZero():
		fact("state", "never looked at")
	default:
		fact("state", "last looked at "+s.LastOK.In(c.Zone).Format("Mon 2 Jan 2006 15:04"))
	}
	if _, err := io.WriteString(a.stdout, b.String()); err != nil {
		return err
	}
	if wrong {
		return exitCode(1)
	}
	return nil
}
