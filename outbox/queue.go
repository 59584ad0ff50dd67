package outbox

import (
	"context"
	"encoding/binary"
	"errors"
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

// recordResults removes the messages that have ended, and reports whether a reminder has
// bounced.
func recordResults(tx *bbolt.Tx, all []result) (bounced bool, err error) {
	for _, res := range all {
		r, err := remove(tx, res.place)
		if err != nil {
			return false, err
		}
		if r == nil {
			continue
		}
		bounced = bounced || r.Reminder && res.reason != ""
		k, err := getKeyed(tx, r.Key)
		if err := errors.Join(err, changeBacklog(tx, res.url, res.count)); err != nil {
			return false, err
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
			return false, err
		}
	}
	return bounced, nil
}

// scan calls f with a recipient's messages behind a number until it returns false.
func scan(tx *bbolt.Tx, url string, after uint64, f func(*record) (bool, error)) error {
	b := messages(tx, url)
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
	b := messages(tx, p.url)
	if b == nil {
		return nil, nil
	}
	r, err := get[record](b, numberKey(p.number))
	if err != nil || r == nil {
		return nil, err
	}
	return r, b.Delete(numberKey(p.number))
}

// changeBacklog changes what is known of a recipient's messages.
func changeBacklog(tx *bbolt.Tx, url string, change func(*backlog)) error {
	b, err := get[backlog](tx.Bucket(bucketTargets), []byte(url))
	if err != nil {
		return err
	}
	if b == nil {
		b = new(backlog)
	}
	change(b)
	return putJSON(tx.Bucket(bucketTargets), []byte(url), b)
}

// Recipients implements notify.Queue.
func (o *Outbox) Recipients(all bool) (known []notify.Recipient, err error) {
	err = o.view(func(tx *bbolt.Tx) error {
		return each(tx.Bucket(bucketTargets), func(url []byte, b *backlog) {
			if all || b.Count > 0 {
				known = append(known, notify.Recipient{URL: string(url), Secret: b.Secret})
			}
		})
	})
	return known, err
}

// Backlog implements notify.Queue.
func (o *Outbox) Backlog(url string) (b notify.Backlog, err error) {
	err = o.view(func(tx *bbolt.Tx) error {
		k, err := get[backlog](tx.Bucket(bucketTargets), []byte(url))
		if err != nil || k == nil {
			return err
		}
		b = k.Backlog
		return scan(tx, url, 0, func(r *record) (bool, error) {
			b.Oldest = r.Time
			return false, nil
		})
	})
	return b, err
}

// removeAll removes those messages of a recipient that wanted picks and nobody has claimed.
// It does nothing when they are fewer than least. It calls then in the same transaction;
// then returns by how much the backlog shrinks.
func (o *Outbox) removeAll(
	ctx context.Context, url string, least int,
	wanted func(*record, *keyed) bool, then func(*bbolt.Tx, []*record) (less int, err error),
) (int, error) {
	var found []*record
	var claimed []result // until they are gone
	err := o.change(ctx, func(tx *bbolt.Tx) error {
		err := scan(tx, url, 0, func(r *record) (bool, error) {
			k, err := getKeyed(tx, r.Key)
			if err != nil || !wanted(r, k) {
				return err == nil, err
			}
			at := place{url, r.number}
			o.mu.Lock()
			defer o.mu.Unlock()
			if !o.claimed[at] {
				o.claimed[at] = true
				found, claimed = append(found, r), append(claimed, result{place: at})
			}
			return true, nil
		})
		if err != nil || len(found) < least {
			found = nil
			return err
		}
		for _, r := range found {
			err = errors.Join(err, messages(tx, url).Delete(numberKey(r.number)))
		}
		less, thenErr := then(tx, found)
		return errors.Join(err, thenErr, changeBacklog(tx, url, func(b *backlog) { b.Count -= less }))
	})
	o.release(claimed...)
	return len(found), err
}

// Summarize implements notify.Queue.
func (o *Outbox) Summarize(url string) error {
	isCounted := func(r *record, k *keyed) bool { return !r.Reminder && k == nil }
	_, err := o.removeAll(context.Background(), url, 2, isCounted, func(tx *bbolt.Tx, all []*record) (int, error) {
		var sum summary
		for _, r := range all {
			sum.add(r)
		}
		// It takes the place of the last of them: what comes later is behind it.
		one := record{Text: sum.String(), Time: sum.until, Sum: sum.counts, Last: sum.last}
		return len(all) - 1, putJSON(messages(tx, url), numberKey(all[len(all)-1].number), &one)
	})
	return err
}
