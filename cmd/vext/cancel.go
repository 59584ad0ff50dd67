package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"vext/queue"
)

func newCancel(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "cancel ID",
		Short:             "Take a reminder out: no, don't merge",
		Example:           `  vext cancel 0123456789ab`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeIDs(waiting),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.change(cmd, args[0], func(q *queue.Queue, item *queue.Item) error {
				if err := q.Cancel(item, who()); err != nil {
					return err
				}
				what := "cancelled"
				if item.Place == queue.InDone {
					what = "it was sent or cancelled before; there will be no other"
				}
				_, err := fmt.Fprintf(a.stdout, "%s: %s\n", what, title(item))
				return err
			})
		},
	}
}
