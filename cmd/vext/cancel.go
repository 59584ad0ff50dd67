package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"vext/queue"
)

func newCancel(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "cancel ID...",
		Short:             "Cancel a reminder: the commit is not to be merged",
		Example:           `  vext cancel 0123456789ab`,
		Args:              takes(1, 0, "one ID or several"),
		ValidArgsFunction: a.completeIDs(0, waiting),
		RunE: a.orControl(toChange, func(cmd *cobra.Command, args []string) error {
			var errs []error
			for _, id := range args {
				errs = append(errs, a.change(cmd, id, func(q *queue.Queue, item *queue.Item) error {
					return cancel(a, q, item)
				}))
			}
			a.takeBack(cmd.Context())
			return errors.Join(errs...)
		}),
	}
}

func cancel(a *app, q *queue.Queue, item *queue.Item) error {
	what := "cancelled"
	if item.Place == queue.InDone {
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
