package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"vext/internal/calendar"
	"vext/internal/target"
)

func newIRCDrop(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "drop TARGET...",
		Short: "Take back what waits for a channel or a person",
		Long: `Takes back the lines that wait for TARGET, a URL as vext notify takes it: of a host
that was mistyped, of a channel that is no more. What is on the wire goes out all
the same. Reminders stay; "vext cancel" takes those back.`,
		Example: `  vext irc drop irc://no.such.host/ops`,
		Args:    takes(1, 0, "one target or several"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, to := range args {
				if _, err := target.Parse(to); err != nil {
					return usageError{err}
				}
			}
			q, _, err := a.openQueue()
			if err != nil {
				return err
			}
			outlet, done, err := outboxOf(q.State, a.log(slog.LevelError))
			if err != nil {
				return err
			}
			var errs []error
			for _, to := range args {
				n, err := outlet.Drop(cmd.Context(), to)
				if errs = append(errs, err); err == nil {
					fmt.Fprintf(a.stdout, "%s: %s taken back\n", withoutSecrets(to), calendar.Plural(n, "line"))
				}
			}
			return errors.Join(append(errs, done())...)
		},
	}
}
