package outbox

import (
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"vext/notify"
)

// Next implements notify.Queue.
func (o *Outbox) Next(url string, after uint64) (*notify.Claim, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var c *notify.Claim
	err := o.view(func(tx *bbolt.Tx) error {
		return scan(tx, url, after, func(r *record) (bool, error) {
			if o.claimed[place{url, r.number}] {
				return true, nil
			}
			c = &notify.Claim{URL: url, Number: r.number, Text: r.Text, Accepted: r.Time, Reminder: r.Reminder, Summary: r.Sum != nil}
			return false, nil
		})
	})
	if err != nil || c == nil {
		return nil, err
	}
	o.claimed[place{url, c.Number}] = true
	return c, nil
}

// A result is how a message ended, which is not on disk yet.
type result struct {
	place
	at     time.Time
	reason string // why it bounced; "" when it was delivered
	wanted bool   // somebody has bounced it on purpose
}

// Done implements notify.Queue. The result is written soon, together with other changes;
// until then the message stays claimed.
func (o *Outbox) Done(c *notify.Claim, err error) {
	r := result{place: place{c.URL, c.Number}, at: o.now()}
	switch {
	case notify.IsPermanent(err):
		r.reason = err.Error()
	case err != nil:
		o.release(r)
		return
	}
	o.mu.Lock()
	o.done = append(o.done, r)
	o.mu.Unlock()
	signal(o.more)
}

func (o *Outbox) release(all ...result) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range all {
		delete(o.claimed, all[i].place)
	}
}

// count changes the backlog of a recipient whose message has ended.
func (r *result) count(b *backlog) {
	b.Count--
	switch {
	case r.reason == "":
		b.Delivered = r.at
	case !r.wanted:
		b.Bounced++
		b.LastBounced, b.LastReason = r.at, r.reason
	}
}

// recordResults removes the messages that have ended. It returns those that were there,
// and whether a reminder has bounced.
func recordResults(tx *bbolt.Tx, all []result) (removed []result, bounced bool, err error) {
	for _, res := range all {
		r, err := remove(tx, res.place)
		if err != nil {
			return nil, false, err
		}
		if r == nil {
			continue
		}
		removed = append(removed, res)
		bounced = bounced || r.Reminder && res.reason != ""
		if err := changeBacklog(tx, res.url, res.count); err != nil {
			return nil, false, err
		}
		k, err := getKeyed(tx, r.Key)
		if err != nil {
			return nil, false, err
		}
		if k == nil {
			continue
		}
		if k.Reason = res.reason; res.reason == "" {
			k.Delivered = res.at
		} else {
			k.Bounced = res.at
		}
		if err := putJSON(tx.Bucket(bucketKeys), []byte(r.Key), k); err != nil {
			return nil, false, err
		}
	}
	return removed, bounced, nil
}

// scan calls f with a recipient's messages behind a number until it returns false.
func scan(tx *bbolt.Tx, url string, after uint64, f func(*record) (bool, error)) error {
	b := tx.Bucket(bucketLines).Bucket([]byte(url))
	if b == nil {
		return nil
	}
	c := b.Cursor()
	for key, value := c.Seek(numberKey(after + 1)); key != nil; key, value = c.Next() {
		r := &record{number: binary.BigEndian.Uint64(key)}
		if err := decode(value, r); err != nil {
			return err
		}
		if more, err := f(r); err != nil || !more {
			return err
		}
	}
	return nil
}

// remove deletes a message and returns it, nil when it is not there.
func remove(tx *bbolt.Tx, p place) (*record, error) {
	b := tx.Bucket(bucketLines).Bucket([]byte(p.url))
	if b == nil {
		return nil, nil
	}
	value := b.Get(numberKey(p.number))
	if value == nil {
		return nil, nil
	}
	r := new(record)
	if err := decode(value, r); err != nil {
		return nil, err
	}
	return r, b.Delete(numberKey(p.number))
}

// Recipients implements notify.Queue.
func (o *Outbox) Recipients(all bool) []notify.Recipient {
	o.mu.Lock()
	defer o.mu.Unlock()
	var known []notify.Recipient
	for url, b := range o.backlogs {
		if all || b.Count > 0 {
			known = append(known, notify.Recipient{URL: url, Secret: b.Secret})
		}
	}
	slices.SortFunc(known, func(a, b notify.Recipient) int { return strings.Compare(a.URL, b.URL) })
	return known
}

// Backlog implements notify.Queue.
func (o *Outbox) Backlog(url string) (b notify.Backlog, err error) {
	o.mu.Lock()
	if k := o.backlogs[url]; k != nil {
		b = notify.Backlog{Count: k.Count, Delivered: k.Delivered, Bounced: k.Bounced, LastBounced: k.LastBounced, LastReason: k.LastReason}
	}
	o.mu.Unlock()
	if b.Count == 0 {
		return b, nil
	}
	err = o.view(func(tx *bbolt.Tx) error {
		return scan(tx, url, 0, func(r *record) (bool, error) {
			b.Oldest = r.Time
			return false, nil
		})
	})
	return b, err
}

// removeAll removes the messages of a recipient that are not claimed and that wanted
// picks, in one transaction with what then does. It does nothing when they are fewer
// than least.
func (o *Outbox) removeAll(ctx context.Context, url string, least int, wanted func(*bbolt.Tx, *record) (bool, error), then func(*bbolt.Tx, []*record) (less int, err error)) (n int, err error) {
	var found []*record
	var less counter
	err = o.change(ctx, func(tx *bbolt.Tx) error {
		found, less = nil, counter{}
		err := scan(tx, url, 0, func(r *record) (bool, error) {
			is, err := wanted(tx, r)
			o.mu.Lock()
			defer o.mu.Unlock()
			if is && !o.claimed[place{url, r.number}] {
				found = append(found, r)
			}
			return true, err
		})
		if err != nil || len(found) < least {
			found = nil
			return err
		}
		o.mu.Lock()
		for _, r := range found {
			o.claimed[place{url, r.number}] = true // until they are gone
		}
		o.mu.Unlock()
		for _, r := range found {
			if _, err := remove(tx, place{url, r.number}); err != nil {
				return err
			}
		}
		n, err := then(tx, found)
		if err != nil {
			return err
		}
		less.more = map[string]int{url: -n}
		return less.onDisk(tx)
	})
	for _, r := range found {
		o.release(result{place: place{url, r.number}})
	}
	if err == nil {
		o.count(less)
	}
	return len(found), err
}

// Summarize implements notify.Queue.
func (o *Outbox) Summarize(ctx context.Context, url string) error {
	_, err := o.removeAll(ctx, url, 2, func(tx *bbolt.Tx, r *record) (bool, error) {
		k, err := getKeyed(tx, r.Key)
		return !r.Reminder && k == nil, err
	}, func(tx *bbolt.Tx, all []*record) (int, error) {
		var sum summary
		for _, r := range all {
			sum.add(r)
		}
		// It takes the place of the last of them: what comes later is behind it.
		one := record{Text: sum.String(), Time: sum.until, Sum: sum.counts, Last: sum.last}
		return len(all) - 1, putJSON(tx.Bucket(bucketLines).Bucket([]byte(url)), numberKey(all[len(all)-1].number), &one)
	})
	return err
}
