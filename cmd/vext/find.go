package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vext/control"
	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/config"
	"vext/queue"
)

// find returns the one reminder that an ID names among those that the user may
// see; and where its commit was amended or rebased, also the reminder that has its
// place, nil where there is none.
func (a *app) find(q *queue.Queue, id string) (item, successor *queue.Item, err error) {
	hint := "an ID is the first digits, at least four, of a commit's hash, a revision such as r1234, or a message's name as vext list --failed shows it"
	sees := func(*queue.Item) bool { return true }
	if a.caller != nil {
		hint = "an ID stands in the reminder itself, in its lines vext snooze and vext cancel; only reminders to " + strings.Join(a.caller.Addresses, ", ") + " can be found"
		sees = func(item *queue.Item) bool { return control.Contains(a.caller.Addresses, item.Address) }
	}
	items, err := q.FindAmong(id, sees)
	if err == nil {
		item = &items[0]
		successor, err = q.Successor(item, sees)
	}
	if err == nil && successor == nil && !item.IsKept() { // and none of its message
		err = queue.ErrNotFound
	}
	switch {
	case errors.Is(err, queue.ErrNotFound):
		return nil, nil, hinted{fmt.Errorf("%w: %s", err, id), hint}
	case errors.Is(err, queue.ErrAmbiguous):
		var names []string
		for i := range items[:min(len(items), 5)] {
			names = append(names, items[i].Name)
		}
		if more := len(items) - len(names); more > 0 {
			names = append(names, fmt.Sprintf("and %d more", more))
		}
		return nil, nil, hinted{fmt.Errorf("%w begins with %s", err, id), "name one of them: " + strings.Join(names, ", ")}
	case err != nil:
		return nil, nil, err
	}
	return item, successor, nil
}

// amended says which reminder has the place of another.
func amended(item, successor *queue.Item) string {
	return printable(item.Short() + " was amended or rebased to " + successor.Short())
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

// change finds a reminder and does something to it, or to the one that has its
// place.
func (a *app) change(cmd *cobra.Command, id string, fn func(*queue.Queue, *queue.Item) error) error {
	return a.locked(cmd, func(q *queue.Queue, _ *config.Config) error {
		item, successor, err := a.find(q, id)
		if err != nil {
			return err
		}
		if successor != nil {
			fmt.Fprintln(a.stdout, amended(item, successor))
			item = successor
		}
		return fn(q, item)
	})
}

func waiting(q *queue.Queue) ([]queue.Item, error) { return q.Waiting() }
func failed(q *queue.Queue) ([]queue.Item, error)  { return q.Quarantined() }

// keptDays is for how many days a sent message is kept.
const keptDays = 60

// sentLately returns the sent reminders that can still be shown or snoozed.
// Reading the messages themselves would take too long for a completion.
func sentLately(q *queue.Queue) ([]queue.Item, error) {
	items, err := q.Sent()
	i := slices.IndexFunc(items, func(item queue.Item) bool { return q.Today().Sub(calendar.Of(item.Sent, q.Zone)) <= keptDays })
	if i < 0 {
		i = len(items)
	}
	return items[i:], err
}

// title names a reminder in an answer: the commit and its subject.
func title(item *queue.Item) string {
	return printable(strings.TrimSpace(cmp.Or(commit.ShortRevision(item.Revision), item.Name) + " " + item.Subject))
}
