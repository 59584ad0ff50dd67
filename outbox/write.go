package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// A change is one caller's part of a transaction.
type change struct {
	apply func(*bbolt.Tx) error
	done  chan error
}

// maxTogether bounds the changes of one transaction.
const maxTogether = 1000

// writeAgain is how long to wait before results that could not be written are written
// again.
const writeAgain = 5 * time.Second

// write applies changes until the outbox is closed: together all that have come while
// the last ones were synced.
func (o *Outbox) write() {
	defer close(o.written)
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		var together []*change
		select {
		case c := <-o.changes:
			together = append(together, c)
		case <-o.more:
		case <-retry.C:
		case <-o.closing:
			o.apply(nil)
			return
		}
	more:
		for len(together) < maxTogether {
			select {
			case c := <-o.changes:
				together = append(together, c)
			default:
				break more
			}
		}
		if !o.apply(together) {
			retry.Reset(writeAgain)
		}
	}
}

// apply applies changes, and the results that have come meanwhile, in one transaction.
func (o *Outbox) apply(together []*change) bool {
	o.mu.Lock()
	results := o.done
	o.done = nil
	o.mu.Unlock()
	if len(results)+len(together) == 0 {
		return true
	}
	var bounced bool
	err := o.update(func(tx *bbolt.Tx) error {
		for _, c := range together {
			if err := c.apply(tx); err != nil {
				return err
			}
		}
		var err error
		bounced, err = recordResults(tx, results)
		return err
	})
	if err != nil {
		err = fmt.Errorf("%s: %w", o.db.Path(), err)
		o.mu.Lock()
		o.done = append(results, o.done...)
		o.mu.Unlock()
	} else {
		o.release(results...)
		if bounced {
			signal(o.bounced)
		}
	}
	for _, c := range together {
		c.done <- err
	}
	return err == nil
}

var errClosed = errors.New("the outbox is closed")

// change applies a change and returns when it is on disk. apply must change only the
// database, because its transaction can fail because of another change. The caller changes
// everything else after that.
func (o *Outbox) change(ctx context.Context, apply func(*bbolt.Tx) error) error {
	c := &change{apply, make(chan error, 1)}
	select {
	case o.changes <- c:
	case <-o.closing:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-c.done // soon; a caller that left now would not know how it ended
}

// signal sends to a channel that has room for one, unless there is one in it.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
