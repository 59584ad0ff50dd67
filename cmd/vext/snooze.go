package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"vext/internal/commit"
	"vext/queue"
)

func newSnooze(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "snooze ID PERIOD",
		Short: "Put a reminder off",
		Long: `Puts a reminder off by a period such as "1 week", from the day on which it is due
or, when that is past, from today; or until a date. A reminder that was sent is
sent again then.`,
		Example: `  vext snooze 0123456789ab 1 week
  vext snooze 0123456789ab 2026-12-24`,
		Args:              cobra.MinimumNArgs(2),
		ValidArgsFunction: a.completeIDs(1, waiting, done),
		RunE: func(cmd *cobra.Command, args []string) error {
			words := strings.Join(args[1:], " ")
			period, err := commit.ParsePeriod(words)
			if errors.Is(err, commit.ErrNoPeriod) {
				err = errors.New("to be reminded no more, use vext cancel")
			}
			if err != nil {
				return usageError{fmt.Errorf("%q: %w", words, err)}
			}
			err = a.change(cmd, args[0], func(q *queue.Queue, item *queue.Item) error {
				day, err := q.Snooze(item, period, a.user)
				if err != nil {
					return err
				}
				today := q.Today()
				_, err = fmt.Fprintf(a.stdout, "snoozed until %s, %s: %s\n", day.Short(today), day.Distance(today), title(item))
				return err
			})
			if err == nil {
				a.takeBack(cmd.Context())
			}
			return err
		},
	}
}
