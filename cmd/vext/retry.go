package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"vext/queue"
	"vext/server"
)

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
			r := &retrier{app: a}
			if all {
				return errors.Join(r.all(cmd.Context()), r.advise())
			}
			var errs []error
			for _, id := range args {
				errs = append(errs, a.change(cmd.Context(), id, r.one))
			}
			return errors.Join(append(errs, r.advise())...)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "every quarantined message")
	return c
}

// A retrier retries messages, and counts those that can't be understood.
type retrier struct {
	*app
	unclear int
}

func (r *retrier) one(q *queue.Queue, item *queue.Item) error {
	unclear, err := q.Unclear(*item)
	if err != nil {
		return err
	}
	return r.retry(q, item, unclear[item.Name])
}

func (r *retrier) retry(q *queue.Queue, item *queue.Item, isUnclear bool) error {
	if isUnclear { // the next run would quarantine it again
		r.unclear++
		_, err := fmt.Fprintf(r.stdout, "stays quarantined, because its request is not understood: %s\n", title(item))
		return err
	}
	if err := q.Retry(item, r.user); err != nil {
		return err
	}
	what := "back in the spool"
	if item.Place == queue.InQueue {
		what = "retried at the next run"
	}
	_, err := fmt.Fprintf(r.stdout, "%s: %s\n", what, title(item))
	return err
}

// advise prints a hint on the messages that can't be understood.
func (r *retrier) advise() error {
	if r.unclear == 0 {
		return nil
	}
	_, err := fmt.Fprintln(r.stderr, "vext: hint: "+queue.QuarantineAdvice(r.unclear, r.unclear))
	return err
}

func (r *retrier) all(ctx context.Context) error {
	return r.locked(ctx, func(_ *server.Server, q *queue.Queue) error {
		items, err := q.Quarantined()
		if err != nil {
			return err
		}
		if len(items) == 0 {
			_, err := fmt.Fprintln(r.stdout, "nothing was quarantined")
			return err
		}
		unclear, err := q.Unclear(items...)
		if err != nil {
			return err
		}
		var errs []error
		for i := range items {
			errs = append(errs, r.retry(q, &items[i], unclear[items[i].Name]))
		}
		return errors.Join(errs...)
	})
}
