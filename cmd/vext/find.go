package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vext/internal/commit"
	"vext/internal/config"
	"vext/queue"
)

// find returns the one reminder that an ID names.
func find(q *queue.Queue, id string) (*queue.Item, error) {
	items, err := q.Find(id)
	switch {
	case errors.Is(err, queue.ErrNotFound):
		return nil, hinted{fmt.Errorf("%w: %s", err, id), "an ID is the first digits of a commit's hash, at least four, or of a name, as vext list shows them"}
	case errors.Is(err, queue.ErrAmbiguous):
		var names []string
		for i := range items[:min(len(items), 5)] {
			names = append(names, items[i].Name)
		}
		if more := len(items) - len(names); more > 0 {
			names = append(names, fmt.Sprintf("and %d more", more))
		}
		return nil, hinted{fmt.Errorf("%w begins with %s", err, id), "name one of them: " + strings.Join(names, ", ")}
	case err != nil:
		return nil, err
	}
	return &items[0], nil
}

// changeWait is how long a person waits for a run to end.
const changeWait = 30 * time.Second

// locked does something to the queue while nobody else does.
func (a *app) locked(cmd *cobra.Command, fn func(*queue.Queue, *config.Config) error) error {
	return a.unlocked(cmd, func(q *queue.Queue, c *config.Config) error {
		lock, err := queue.Acquire(cmd.Context(), q.State, changeWait)
		if err != nil {
			return err
		}
		defer lock.Release()
		return fn(q, c)
	})
}

// unlocked does something that changes nothing.
func (a *app) unlocked(_ *cobra.Command, fn func(*queue.Queue, *config.Config) error) error {
	q, c, err := a.openQueue()
	if err != nil {
		return err
	}
	return fn(q, c)
}

// change finds a reminder and does something to it.
func (a *app) change(cmd *cobra.Command, id string, fn func(*queue.Queue, *queue.Item) error) error {
	return a.locked(cmd, func(q *queue.Queue, _ *config.Config) error {
		item, err := find(q, id)
		if err != nil {
			return err
		}
		return fn(q, item)
	})
}

// completeIDs completes the IDs of what lists return, for at most so many
// arguments; 0 is any number.
func (a *app) completeIDs(most int, lists ...func(*queue.Queue) ([]queue.Item, error)) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		q, _, err := a.openQueue()
		if err != nil || (most > 0 && len(args) >= most) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var ids []string
		for _, list := range lists {
			items, err := list(q)
			if err != nil {
				continue
			}
			for i := range items {
				id := safeID(&items[i])
				if strings.HasPrefix(id, typed) {
					ids = append(ids, cobra.CompletionWithDesc(id, printable(items[i].Subject)))
				}
			}
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
}

// safeID returns an ID that is safe to type: a revision of a version control
// system, or the name.
func safeID(item *queue.Item) string {
	id := commit.ShortRevision(item.Revision)
	if !commit.IsHex(strings.TrimPrefix(id, "r")) {
		return item.Name
	}
	return id
}

func waiting(q *queue.Queue) ([]queue.Item, error) { return q.Waiting() }
func failed(q *queue.Queue) ([]queue.Item, error)  { return q.Failed() }
func done(q *queue.Queue) ([]queue.Item, error)    { return q.Done() }

// title names a reminder in an answer: the commit and its subject.
func title(item *queue.Item) string {
	return printable(strings.TrimSpace(cmp.Or(commit.ShortRevision(item.Revision), item.Name) + " " + item.Subject))
}
