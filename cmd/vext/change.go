package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"vext/internal/commit"
	"vext/queue"
	"vext/server"
)

func newSnooze(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "snooze ID PERIOD",
		Short: "Postpone a reminder",
		Long: `Postpones a reminder.

A period such as "1 week" counts from the day on which the reminder is due, or from
today if that day is past. "in 1 week", "tomorrow" and "monday" count from today. A
date stands for itself.

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
				fmt.Fprintf(a.stdout, "snoozed until %s: %s\n", dayWords(day, today), title(item))
				if isSame {
					fmt.Fprintln(a.stdout, "it was due on that day already; nothing has changed")
				}
				return nil
			})
			if err == nil {
				dropChanged(cmd.Context(), a)
			}
			return err
		}),
	}
}

func newCancel(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "cancel ID...",
		Short:             "Cancel a reminder: the commit is not to be merged",
		Example:           `  vext cancel 0123456789ab`,
		Args:              takes(1, 0, "one ID or several"),
		ValidArgsFunction: completeIDs(a, 0, waiting),
		RunE: a.orControl(toChange, func(cmd *cobra.Command, args []string) error {
			var errs []error
			for _, id := range args {
				errs = append(errs, a.change(cmd.Context(), id, func(q *queue.Queue, item *queue.Item) error {
					return cancel(cmd.Context(), a, q, item)
				}))
			}
			dropChanged(cmd.Context(), a)
			return errors.Join(errs...)
		}),
	}
}

func cancel(ctx context.Context, a *app, q *queue.Queue, item *queue.Item) error {
	what := "cancelled"
	if item.Place == queue.InDone && !isPending(ctx, a, q, item) {
		what = "no reminder is pending; no other will be sent"
	}
	err := q.Cancel(item, a.user)
	if errors.Is(err, queue.ErrUnchanged) {
		what, err = "it was cancelled already; nothing has changed", nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s: %s\n", what, title(item))
	return nil
}

// isPending reports whether a message of a reminder that was sent to IRC is still pending.
func isPending(ctx context.Context, a *app, q *queue.Queue, item *queue.Item) bool {
	events, err := q.Events(item.Name)
	if err != nil {
		return false
	}
	s, err := a.load()
	return err == nil && slices.ContainsFunc(s.Deliveries(ctx, q.State, events), func(d server.Delivery) bool { return d.State == "pending" })
}

// dropChanged drops the pending messages of changed reminders, see
// server.DropChanged.
func dropChanged(ctx context.Context, a *app) {
	if s, err := a.load(); err == nil {
		s.DropChanged(ctx)
	}
}

func newRetry(a *app) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "retry ID...",
		Short: "Retry quarantined messages, once their cause is fixed",
		Long: `Moves messages from failed/ back into the spool; the next run schedules them.
A message that would be quarantined again, because its request can't be
understood, stays in failed/. A reminder in backoff, because it could not be sent,
is tried at the next run.`,
		Example: `  vext retry 0123456789ab
  vext retry --all`,
		ValidArgsFunction: completeIDs(a, 0, failed),
		Args: func(_ *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return usageError{errors.New("name the messages to retry, or use --all")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			unclear := 0
			defer func() {
				if unclear > 0 {
					a.hint(queue.QuarantineAdvice(unclear, unclear))
				}
			}()
			if all {
				return a.locked(cmd.Context(), func(_ *server.Server, q *queue.Queue) error {
					items, err := q.Quarantined()
					if err == nil && len(items) == 0 {
						fmt.Fprintln(a.stdout, "nothing was quarantined")
					}
					return errors.Join(err, retry(a, q, items, &unclear))
				})
			}
			var errs []error
			for _, id := range args {
				errs = append(errs, a.change(cmd.Context(), id, func(q *queue.Queue, item *queue.Item) error {
					return retry(a, q, []queue.Item{*item}, &unclear)
				}))
			}
			return errors.Join(errs...)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "every quarantined message")
	return c
}

// retry retries items, and counts those whose request can't be understood: the next
// run would quarantine them again.
func retry(a *app, q *queue.Queue, items []queue.Item, unclear *int) error {
	isUnclear, err := q.Unclear(items...)
	if err != nil {
		return err
	}
	var errs []error
	for i := range items {
		item, what := &items[i], "back in the spool"
		if item.Place == queue.InQueue {
			what = "retried at the next run"
		}
		if isUnclear[item.Name] {
			*unclear++
			what = "stays quarantined, because its request is not understood"
		} else if err := q.Retry(item, a.user); err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintf(a.stdout, "%s: %s\n", what, title(item))
	}
	return errors.Join(errs...)
}
