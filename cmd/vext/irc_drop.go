package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"vext/internal/calendar"
	"vext/internal/target"
	"vext/server"
)

func newIRCDrop(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "drop TARGET...",
		Short: "Drop the pending messages of a channel or a person",
		Long: `Drops the messages that are pending for TARGET, a URL as for "vext notify", such as
a mistyped host or a channel that is gone. Messages in flight are still delivered.
Reminders stay; use "vext cancel" for those.`,
		Example: `  vext irc drop irc://no.such.host/ops`,
		Args:    takes(1, 0, "one or more targets"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, to := range args {
				if _, err := target.Parse(to); err != nil {
					return usageError{err}
				}
			}
			s, q, err := a.open()
			if err != nil {
				return err
			}
			outbox, done, err := s.LocalOutbox(q.State)
			if err != nil {
				return err
			}
			var errs []error
			for _, to := range args {
				n, err := outbox.Drop(cmd.Context(), to)
				if errs = append(errs, err); err == nil {
					fmt.Fprintf(a.stdout, "%s: %s dropped\n", server.WithoutSecrets(to), calendar.Plural(n, "message"))
				}
			}
			return errors.Join(append(errs, done())...)
		},
	}
}
