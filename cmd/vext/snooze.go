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
		Short: "Postpone a reminder",
		Long: `Postpones a reminder.

A period such as "1 week" counts from the day on which the reminder is due, or from
today where that day is past. "in 1 week", "tomorrow" and "monday" count from
today; a date is used as it is.

A snooze replaces an earlier one of the same day: "1 week" given twice is one
week. A reminder that was sent before is sent once more.`,
		Example: `  vext snooze 0123456789ab 1 week
  vext snooze 0123456789ab in 2 weeks
  vext snooze 0123456789ab monday
  vext snooze 0123456789ab 2026-12-24`,
		Args:              takes(2, 0, "an ID and a period"),
		ValidArgsFunction: completeIDs(a, 1, waiting, failed, recentlySent),
		RunE: a.orControl(toChange, func(cmd *cobra.Command, args []string) error {
			words := strings.Join(args[1:], " ")
			err := a.change(cmd.Context(), args[0], func(q *queue.Queue, item *queue.Item) error {
				today := q.Today()
				period, err := commit.ParseDelay(words, today)
				if errors.Is(err, commit.ErrNoPeriod) {
					err = errors.New("to get no reminder at all, use vext cancel")
				}
				if err != nil {
					return usageError{fmt.Errorf("%q: %w", words, err)}
				}
				day, err := q.Snooze(item, period, a.user)
				isSame := errors.Is(err, queue.ErrUnchanged)
				if err != nil && !isSame {
					return err
				}
				_, err = fmt.Fprintf(a.stdout, "snoozed until %s, %s: %s\n", day.Short(today), day.Distance(today), title(item))
				if isSame {
					fmt.Fprintln(a.stdout, "it was due on that day already; nothing has changed")
				}
				return err
			})
			if err == nil {
				dropChanged(cmd.Context(), a)
			}
			return err
		}),
	}
}
