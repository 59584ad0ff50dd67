package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"vext/notify"
)

// Put implements notify.Outbox.
func (o *Outbox) Put(ctx context.Context, all ...notify.Message) error {
	if o.Check != nil {
		if err := o.Check(); err != nil {
			return err
		}
	}
	messages, recipients, err := o.transport.Accept(all)
	if err != nil {
		return err
	}
	if len(messages) > 0 {
		secrets := map[string]string{}
		for _, r := range recipients {
			secrets[r.URL] = r.Secret
		}
		now := o.now()
		err := o.change(ctx, func(tx *bbolt.Tx) error {
			for i := range messages {
				if err := putMessage(tx, now, &messages[i], secrets[messages[i].Target]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("outbox: %w", err)
		}
	}
	o.transport.Wake(recipients)
	return nil
}

// putMessage stores a message, unless its key is known.
func putMessage(tx *bbolt.Tx, now time.Time, m *notify.Message, secret string) error {
	keys := tx.Bucket(bucketKeys)
	if k, err := getKeyed(tx, m.Key); err != nil || k != nil {
		if err != nil || !k.isPending() || !k.Deadline.IsZero() || m.Deadline.IsZero() {
			return err
		}
		k.Deadline = m.Deadline // an earlier version put it without one
		return putJSON(keys, []byte(m.Key), k)
	}
	b, err := tx.Bucket(bucketLines).CreateBucketIfNotExists([]byte(m.Target))
	if err != nil {
		return err
	}
	b.FillPercent = 0.95 // they come in order
	number, err := b.NextSequence()
	if err != nil {
		return err
	}
	arrived := now
	if !m.Since.IsZero() && m.Since.Before(now) {
		arrived = m.Since
	}
	r := record{Text: m.Text, Time: arrived, Project: m.Project, Commits: m.Commits, Key: m.Key, Reminder: m.Reminder}
	err = errors.Join(putJSON(b, numberKey(number), &r), changeBacklog(tx, m.Target, func(b *backlog) {
		b.Count++
		b.Secret = cmp.Or(b.Secret, secret)
	}))
	if err != nil || m.Key == "" {
		return err
	}
	return putJSON(keys, []byte(m.Key), &keyed{URL: m.Target, Number: number, Accepted: now, Deadline: m.Deadline})
}

// Outcomes implements notify.Outbox.
func (o *Outbox) Outcomes(_ context.Context, keys ...string) (map[string]notify.Outcome, error) {
	found, err := o.find(keys)
	if err != nil {
		return nil, err
	}
	outcomes := map[string]notify.Outcome{}
	for key, k := range found {
		outcome := notify.Outcome{Accepted: k.Accepted, Delivered: k.Delivered, Rejected: k.Reason}
		if k.isPending() {
			outcome.LastError = o.transport.Problem(k.URL)
			if b, err := o.Backlog(k.URL); err == nil && outcome.LastError == "" && b.Count > len(keys) {
				outcome.LastError = fmt.Sprintf("%d messages are pending there", b.Count)
			}
		}
		outcomes[key] = outcome
	}
	return outcomes, nil
}

// find returns what is known of keys.
func (o *Outbox) find(keys []string) (map[string]*keyed, error) {
	found := map[string]*keyed{}
	err := o.view(func(tx *bbolt.Tx) error {
		for _, key := range keys {
			k, err := getKeyed(tx, key)
			if err != nil {
				return err
			}
			if k != nil {
				found[key] = k
			}
		}
		return nil
	})
	return found, err
}

// Pending implements notify.Outbox.
func (o *Outbox) Pending(context.Context) ([]string, error) {
	return o.keysOf((*keyed).isPending)
}

// keysOf returns the keys of the messages that wanted picks.
func (o *Outbox) keysOf(wanted func(*keyed) bool) (all []string, err error) {
	err = o.eachKeyed(func(key []byte, k *keyed) {
		if wanted(k) {
			all = append(all, string(key))
		}
	})
	return all, err
}

func (o *Outbox) eachKeyed(f func(key []byte, k *keyed)) error {
	return o.view(func(tx *bbolt.Tx) error { return each(tx.Bucket(bucketKeys), f) })
}

// maxAhead is how far ahead a deadline can be. One that is farther was set with a wrong
// clock.
const maxAhead = 7 * 24 * time.Hour

// Bounces implements notify.Outbox.
func (o *Outbox) Bounces(ctx context.Context, now time.Time) ([]notify.Bounce, error) {
	expired, err := o.keysOf(func(k *keyed) bool {
		left := k.Deadline.Sub(now)
		return k.isPending() && !k.Deadline.IsZero() && (left <= 0 || left > maxAhead)
	})
	if err == nil {
		err = o.Bounce(ctx, "", expired...)
	}
	if err != nil {
		return nil, err
	}
	var bounces []notify.Bounce
	err = o.eachKeyed(func(key []byte, k *keyed) {
		if !k.Bounced.IsZero() {
			bounces = append(bounces, notify.Bounce{Key: string(key), Target: k.URL, Reason: k.Reason})
		}
	})
	return bounces, err
}

// Bounce implements notify.Outbox. Without a reason, that is the last error, or that the
// deadline is over.
func (o *Outbox) Bounce(ctx context.Context, reason string, keys ...string) error {
	claimed, err := o.claim(keys)
	if err != nil || len(claimed) == 0 {
		return err
	}
	var results []result
	for _, k := range claimed {
		why := cmp.Or(reason, o.transport.Problem(k.URL), "it could not be delivered in time")
		results = append(results, result{k.place(), o.now(), why, reason != ""})
	}
	err = o.change(ctx, func(tx *bbolt.Tx) error {
		_, err := recordResults(tx, results)
		return err
	})
	o.release(results...)
	return err
}

// claim claims the pending messages with these keys that nobody has claimed.
func (o *Outbox) claim(keys []string) (map[string]*keyed, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	claimed, err := o.find(keys)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, k := range claimed {
		if !k.isPending() || o.claimed[k.place()] {
			delete(claimed, key)
			continue
		}
		o.claimed[k.place()] = true
	}
	return claimed, nil
}

// Forget implements notify.Outbox.
func (o *Outbox) Forget(ctx context.Context, keys ...string) error {
	return o.change(ctx, func(tx *bbolt.Tx) error {
		for _, key := range keys {
			if err := tx.Bucket(bucketKeys).Delete([]byte(key)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Drop removes the pending messages for a target that are neither reminders nor in
// flight, and returns how many.
func (o *Outbox) Drop(ctx context.Context, to string) (int, error) {
	_, recipients, err := o.transport.Accept([]notify.Message{{Target: to}})
	if err != nil {
		return 0, err
	}
	isDropped := func(r *record, _ *keyed) bool { return !r.Reminder }
	return o.removeAll(ctx, recipients[0].URL, 1, isDropped, func(tx *bbolt.Tx, all []*record) (less int, err error) {
		for _, r := range all {
			if r.Key != "" {
				err = errors.Join(err, tx.Bucket(bucketKeys).Delete([]byte(r.Key)))
			}
		}
		return len(all), err
	})
}

// Bounced receives a value when the transport has rejected reminders.
func (o *Outbox) Bounced() <-chan struct{} { return o.bounced }
