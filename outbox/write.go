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
	var removed []result
	var bounced bool
	err := o.update(func(tx *bbolt.Tx) error {
		for _, c := range together {
			if err := c.apply(tx); err != nil {
				return err
			}
		}
		var err error
		removed, bounced, err = recordResults(tx, results)
		return err
	})
	if err != nil {
		err = fmt.Errorf("%s: %w", o.db.Path(), err)
		o.mu.Lock()
		o.done = append(results, o.done...)
		o.mu.Unlock()
	} else {
		o.release(results...)
		for i := range removed {
			o.changed(removed[i].url, removed[i].count)
		}
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

// change applies a change and returns when it is on disk. apply may be called in a
// transaction that fails for another change: what it changes outside of the database
// is to be changed after that, by the caller.
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

// A counter changes the backlogs of recipients, on disk and in memory.
type counter struct {
	more    map[string]int    // messages, by URL
	secrets map[string]string // may be nil
}

func (c counter) apply(url string) func(*backlog) {
	return func(b *backlog) {
		if b.Count += c.more[url]; b.Secret == "" {
			b.Secret = c.secrets[url]
		}
	}
}

func (c counter) onDisk(tx *bbolt.Tx) error {
	for url := range c.more {
		if err := changeBacklog(tx, url, c.apply(url)); err != nil {
			return err
		}
	}
	return nil
}

func (o *Outbox) count(c counter) {
	for url := range c.more {
		o.changed(url, c.apply(url))
	}
}

// changeBacklog changes a backlog on disk, changed the one in memory.
func changeBacklog(tx *bbolt.Tx, url string, change func(*backlog)) error {
	all := tx.Bucket(bucketTargets)
	var b backlog
	if value := all.Get([]byte(url)); value != nil {
		if err := decode(value, &b); err != nil {
			return err
		}
	}
	change(&b)
	return putJSON(all, []byte(url), &b)
}

func (o *Outbox) changed(url string, change func(*backlog)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.backlogs[url] == nil {
		o.backlogs[url] = new(backlog)
	}
	change(o.backlogs[url])
}
