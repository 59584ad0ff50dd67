package irc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"vext/notify"
)

// A done line was told or rejected, and this is not on disk yet.
type done struct {
	place
	at        time.Time
	rejection string // why it will never be told, "" when it was
}

// A change is one caller's part of a transaction.
type change struct {
	apply func(*bbolt.Tx) error
	done  chan error
}

// mostTogether bounds how many changes one transaction takes.
const mostTogether = 1000

// write applies changes until the outbox is closed: all that have come while
// the last ones were synced together.
func (o *Outbox) write() {
	defer close(o.written)
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		var together []*change
		select {
		case c := <-o.changes:
			together = append(together, c)
		case <-o.ended:
		case <-retry.C:
		case <-o.closing:
			o.apply(nil)
			return
		}
	more:
		for len(together) < mostTogether {
			select {
			case c := <-o.changes:
				together = append(together, c)
			default:
				break more
			}
		}
		if !o.apply(together) {
			retry.Reset(tellAgain)
		}
	}
}

// tellAgain is how long to wait before ended lines that could not be written to disk
// are written again.
const tellAgain = 5 * time.Second

// apply applies changes, and what was told or rejected meanwhile, in one
// transaction.
func (o *Outbox) apply(together []*change) bool {
	o.mu.Lock()
	ended := o.done
	o.done = nil
	o.mu.Unlock()
	if len(ended)+len(together) == 0 {
		return true
	}
	var gone []done
	var reminders bool
	err := o.update(func(tx *bbolt.Tx) error {
		for _, c := range together {
			if err := c.apply(tx); err != nil {
				return err
			}
		}
		var err error
		gone, reminders, err = o.remove(tx, ended)
		return err
	})
	if err != nil {
		err = fmt.Errorf("%s: %w", o.db.Path(), err)
		o.mu.Lock()
		o.done = append(ended, o.done...)
		o.mu.Unlock()
	} else {
		o.removed(ended, gone)
		if reminders {
			wake(o.settled)
		}
	}
	for _, c := range together {
		c.done <- err
	}
	return err == nil
}

var errClosed = errors.New("the outbox of IRC is closed")

// change applies a change and returns when it is on disk. apply may be called
// in a transaction that fails for another change: what it changes outside of
// the database is to be changed after that, by the caller.
func (o *Outbox) change(ctx context.Context, apply func(*bbolt.Tx) error) error {
	c := &change{apply, make(chan error, 1)}
	select {
	case o.changes <- c:
	case <-o.closing:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-c.done // it ends soon; who left now would not know how
}

// put stores lines, in their order. Those whose key is known are passed over.
// targets are those of the lines, keys those of channels with which they were
// named.
func (o *Outbox) put(ctx context.Context, now time.Time, all []notify.Message, targets []string, keys map[string]string) error {
	var more map[string]int
	err := o.change(ctx, func(tx *bbolt.Tx) error {
		more = map[string]int{}
		for i := range all {
			isNew, err := putLine(tx, now, &all[i], targets[i])
			if err != nil {
				return err
			}
			if isNew {
				more[targets[i]]++
			}
		}
		return count(tx, more, keys)
	})
	if err == nil {
		o.add(more, keys)
	}
	return err
}

func putLine(tx *bbolt.Tx, now time.Time, line *notify.Message, target string) (isNew bool, err error) {
	keys := tx.Bucket(bucketKeys)
	if line.Key != "" && keys.Get([]byte(line.Key)) != nil {
		return false, nil
	}
	b, err := tx.Bucket(bucketLines).CreateBucketIfNotExists([]byte(target))
	if err != nil {
		return false, err
	}
	b.FillPercent = 0.95 // they come in order
	number, err := b.NextSequence()
	if err != nil {
		return false, err
	}
	came := now
	if !line.Since.IsZero() && line.Since.Before(now) {
		came = line.Since
	}
	r := record{Text: line.Text, Time: came, Project: line.Project, Commits: line.Commits, Key: line.Key, Reminder: line.Reminder}
	if err := putJSON(b, numberKey(number), &r); err != nil || line.Key == "" {
		return true, err
	}
	return true, putJSON(keys, []byte(line.Key), &keyed{Target: target, Number: number, Accepted: now})
}

// wake sends to a channel that has room for one, unless there is one in it.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
