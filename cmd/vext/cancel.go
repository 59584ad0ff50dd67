package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"vext/queue"
	"vext/server"
)

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
	if item.Place == queue.InDone && !a.isPending(ctx, q, item) {
		what = "no reminder is pending; no other will be sent"
	}
	err := q.Cancel(item, a.user)
	if errors.Is(err, queue.ErrUnchanged) {
		what, err = "it was cancelled already; nothing has changed", nil
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s: %s\n", what, title(item))
	return err
}

// isPending reports whether a message of a reminder that was sent to IRC is still pending.
func (a *app) isPending(ctx context.Context, q *queue.Queue, item *queue.Item) bool {
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
