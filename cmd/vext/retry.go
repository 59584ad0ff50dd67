package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"vext/internal/config"
	"vext/queue"
	"vext/reminder"
)

func newRetry(a *app) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "retry ID...",
		Short: "Try again what was set aside, once its cause is mended",
		Long: `Puts messages from failed/ back into the spool, where the next run decides about
them again. What can't be understood would be set aside again, and stays. For a
reminder that waits because it could not be sent, it ends the pause before the
next attempt.`,
		Example: `  vext retry 0123456789ab
  vext retry --all`,
		ValidArgsFunction: a.completeIDs(0, failed),
		Args: func(_ *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return usageError{errors.New("name what is to be tried again, or say --all")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r := &retrier{app: a}
			if all {
				return errors.Join(r.all(cmd), r.advise())
			}
			var errs []error
			for _, id := range args {
				errs = append(errs, a.change(cmd, id, r.one))
			}
			return errors.Join(append(errs, r.advise())...)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "everything that was set aside")
	return c
}

// A retrier tries messages again, and counts those that can't be understood.
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
	if isUnclear { // it would only go to and fro
		r.unclear++
		_, err := fmt.Fprintf(r.stdout, "stays set aside, it is not understood: %s\n", title(item))
		return err
	}
	if err := q.Retry(item, r.user); err != nil {
		return err
	}
	what := "back in the spool"
	if item.Place == queue.InQueue {
		what = "tried again at the next run"
	}
	_, err := fmt.Fprintf(r.stdout, "%s: %s\n", what, title(item))
	return err
}

// advise says what helps those that can't be understood.
func (r *retrier) advise() error {
	if r.unclear == 0 {
		return nil
	}
	_, err := fmt.Fprintln(r.stderr, "vext: hint: "+reminder.FailedAdvice(r.unclear, r.unclear))
	return err
}

func (r *retrier) all(cmd *cobra.Command) error {
	return r.locked(cmd, func(q *queue.Queue, _ *config.Config) error {
		items, err := q.Quarantined()
		if err != nil {
			return err
		}
		if len(items) == 0 {
			_, err := fmt.Fprintln(r.stdout, "nothing was set aside")
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
