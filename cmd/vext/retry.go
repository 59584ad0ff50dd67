package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"vext/internal/config"
	"vext/queue"
)

func newRetry(a *app) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "retry ID...",
		Short: "Try again what was set aside, once its cause is mended",
		Long: `Puts messages from failed/ back into the spool, where the next run decides about
them again. For a reminder that waits because it could not be sent, it ends the
pause before the next attempt.`,
		Example: `  vext retry 0123456789ab
  vext retry --all`,
		ValidArgsFunction: a.completeIDs(0, failed),
		Args: func(_ *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return errors.New("name what is to be tried again, or say --all")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if all {
				return retryAll(a, cmd)
			}
			var errs []error
			for _, id := range args {
				errs = append(errs, a.change(cmd, id, func(q *queue.Queue, item *queue.Item) error {
					return retry(a, q, item)
				}))
			}
			return errors.Join(errs...)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "everything that was set aside")
	return c
}

func retry(a *app, q *queue.Queue, item *queue.Item) error {
	if err := q.Retry(item, a.user); err != nil {
		return err
	}
	what := "back in the spool"
	if item.Place == queue.InQueue {
		what = "tried again at the next run"
	}
	_, err := fmt.Fprintf(a.stdout, "%s: %s\n", what, title(item))
	return err
}

func retryAll(a *app, cmd *cobra.Command) error {
	return a.locked(cmd, func(q *queue.Queue, _ *config.Config) error {
		items, err := q.Failed()
		if err != nil {
			return err
		}
		if len(items) == 0 {
			_, err := fmt.Fprintln(a.stdout, "nothing was set aside")
			return err
		}
		var errs []error
		for i := range items {
			errs = append(errs, retry(a, q, &items[i]))
		}
		return errors.Join(errs...)
	})
}
