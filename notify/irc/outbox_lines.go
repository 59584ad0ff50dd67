package irc

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// take returns a target's first line behind a number, and keeps it from being
// withdrawn until it is told or let go. ok is false when there is none.
func (o *Outbox) take(target string, after uint64) (r record, ok bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	err = o.view(func(tx *bbolt.Tx) error {
		return scan(tx, target, after, func(found record) (bool, error) {
			if ok = o.held[place{target, found.number}] == 0; ok {
				r = found
			}
			return !ok, nil
		})
	})
	if ok {
		o.held[place{target, r.number}] = onWire
	}
	return r, ok, err
}

// letGo gives lines back that were taken and not told.
func (o *Outbox) letGo(target string, numbers ...uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, n := range numbers {
		delete(o.held, place{target, n})
	}
}

// scan calls f with a target's lines behind a number until it returns false.
func scan(tx *bbolt.Tx, target string, after uint64, f func(record) (bool, error)) error {
	b := tx.Bucket(bucketLines).Bucket([]byte(target))
	if b == nil {
		return nil
	}
	c := b.Cursor()
	for key, value := c.Seek(numberKey(after + 1)); key != nil; key, value = c.Next() {
		var r record
		if err := json.Unmarshal(value, &r); err != nil {
			return err
		}
		r.number = binary.BigEndian.Uint64(key)
		if more, err := f(r); err != nil || !more {
			return err
		}
	}
	return nil
}

// tell notes that a line was told.
func (o *Outbox) tell(p place, now time.Time) { o.end(done{p, now, ""}) }

// reject records that a line will never be delivered, and why.
func (o *Outbox) reject(p place, why string, now time.Time) { o.end(done{p, now, why}) }

// end records the end of a line. The record is written to disk soon, together with
// other changes; until then the line is held.
func (o *Outbox) end(d done) {
	o.mu.Lock()
	o.done = append(o.done, d)
	o.mu.Unlock()
	wake(o.ended)
}

// remove deletes the lines that have ended. It returns those that were there,
// and whether reminders were among them.
func (o *Outbox) remove(tx *bbolt.Tx, all []done) (gone []done, reminders bool, err error) {
	for _, d := range all {
		r, err := remove(tx, d.place)
		if err != nil {
			return nil, false, err
		}
		if r == nil {
			continue
		}
		gone = append(gone, d)
		reminders = reminders || r.Reminder
		if err := settle(tx, r, &d); err != nil {
			return nil, false, err
		}
		if err := changeBacklog(tx, d.target, func(b *backlog) { b.end(&d) }); err != nil {
			return nil, false, err
		}
	}
	return gone, reminders, nil
}

// removed is remove for what is in memory: of all, those of gone were there.
func (o *Outbox) removed(all, gone []done) {
	for _, d := range all {
		o.letGo(d.target, d.number)
	}
	for _, d := range gone {
		o.changed(d.target, func(b *backlog) { b.end(&d) })
	}
}

// remove deletes a line and returns it, nil when it is not there.
func remove(tx *bbolt.Tx, p place) (*record, error) {
	b := tx.Bucket(bucketLines).Bucket([]byte(p.target))
	if b == nil {
		return nil, nil
	}
	value := b.Get(numberKey(p.number))
	if value == nil {
		return nil, nil
	}
	var r record
	if err := json.Unmarshal(value, &r); err != nil {
		return nil, err
	}
	return &r, b.Delete(numberKey(p.number))
}

// settle records the outcome of a line for who asks for it.
func settle(tx *bbolt.Tx, r *record, d *done) error {
	keys := tx.Bucket(bucketKeys)
	value := keys.Get([]byte(r.Key))
	if r.Key == "" || value == nil {
		return nil
	}
	var k keyed
	if err := json.Unmarshal(value, &k); err != nil {
		return err
	}
	if k.Rejection = d.rejection; d.rejection == "" {
		k.Told = d.at
	} else {
		k.Rejected = d.at
	}
	return putJSON(keys, []byte(r.Key), &k)
}

// outcomes returns what became of the lines with these keys.
func (o *Outbox) outcomes(keys []string) (map[string]keyed, error) {
	found := map[string]keyed{}
	err := o.view(func(tx *bbolt.Tx) error {
		for _, key := range keys {
			value := tx.Bucket(bucketKeys).Get([]byte(key))
			if value == nil {
				continue
			}
			var k keyed
			if err := json.Unmarshal(value, &k); err != nil {
				return err
			}
			found[key] = k
		}
		return nil
	})
	return found, err
}

// waiting returns the keys of the lines that have no outcome yet.
func (o *Outbox) waiting() ([]string, error) {
	var open []string
	err := o.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketKeys).ForEach(func(key, value []byte) error {
			var k keyed
			err := json.Unmarshal(value, &k)
			if err == nil && k.isOpen() {
				open = append(open, string(key))
			}
			return err
		})
	})
	return open, err
}

// withdraw takes lines back that are neither told, rejected, nor on the wire, and returns
// the keys of those.
func (o *Outbox) withdraw(ctx context.Context, keys []string) ([]string, error) {
	known, err := o.outcomes(keys)
	if err != nil {
		return nil, err
	}
	var back []string
	o.mu.Lock()
	for _, key := range keys {
		k, ok := known[key]
		p := place{k.Target, k.Number}
		if ok && k.isOpen() && o.held[p] == 0 {
			o.held[p] = withdrawn
			back = append(back, key)
		}
	}
	o.mu.Unlock()
	less := map[string]int{}
	err = o.change(ctx, func(tx *bbolt.Tx) error {
		clear(less)
		for _, key := range back {
			k := known[key]
			r, err := remove(tx, place{k.Target, k.Number})
			if err != nil {
				return err
			}
			if r != nil {
				less[k.Target]--
			}
			if err := tx.Bucket(bucketKeys).Delete([]byte(key)); err != nil {
				return err
			}
		}
		return count(tx, less, nil)
	})
	for _, key := range back {
		o.letGo(known[key].Target, known[key].Number)
	}
	if err != nil {
		return nil, err
	}
	o.add(less, nil)
	return back, nil
}

// drop removes a target's lines that are not on the wire, but for reminders, and
// returns how many.
func (o *Outbox) drop(ctx context.Context, target string) (int, error) {
	var dropped []record
	err := o.change(ctx, func(tx *bbolt.Tx) error {
		err := scan(tx, target, 0, func(r record) (bool, error) {
			o.mu.Lock()
			defer o.mu.Unlock()
			if p := (place{target, r.number}); !r.Reminder && o.held[p] == 0 {
				o.held[p] = withdrawn // nobody is to take it until it is gone
				dropped = append(dropped, r)
			}
			return true, nil
		})
		if err != nil || len(dropped) == 0 {
			return err
		}
		for i := range dropped {
			r := &dropped[i]
			if _, err := remove(tx, place{target, r.number}); err != nil {
				return err
			}
			if err := tx.Bucket(bucketKeys).Delete([]byte(r.Key)); r.Key != "" && err != nil {
				return err
			}
		}
		return count(tx, map[string]int{target: -len(dropped)}, nil)
	})
	for i := range dropped {
		o.letGo(target, dropped[i].number)
	}
	if err != nil || len(dropped) == 0 {
		return 0, err
	}
	o.add(map[string]int{target: -len(dropped)}, nil)
	return len(dropped), nil
}

// forget removes keys.
func (o *Outbox) forget(ctx context.Context, keys []string) error {
	return o.change(ctx, func(tx *bbolt.Tx) error {
		for _, key := range keys {
			if err := tx.Bucket(bucketKeys).Delete([]byte(key)); err != nil {
				return err
			}
		}
		return nil
	})
}

// targets returns the targets that the outbox knows, those with lines that
// wait, or all.
func (o *Outbox) targets(all bool) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var known []string
	for target, b := range o.backlogs {
		if all || b.Count > 0 {
			known = append(known, target)
		}
	}
	slices.Sort(known)
	return known
}

// waitingAt returns how many lines wait for a target.
func (o *Outbox) waitingAt(target string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if b := o.backlogs[target]; b != nil {
		return b.Count
	}
	return 0
}

// backlog returns how many lines wait for a target, since when, and when the
// last was told.
func (o *Outbox) backlog(target string) (b backlog, oldest time.Time, err error) {
	o.mu.Lock()
	if known := o.backlogs[target]; known != nil {
		b = *known
	}
	o.mu.Unlock()
	if b.Count == 0 {
		return b, oldest, nil
	}
	err = o.view(func(tx *bbolt.Tx) error {
		return scan(tx, target, 0, func(r record) (bool, error) {
			oldest = r.Time
			return false, nil
		})
	})
	return b, oldest, err
}

// isAskedFor reports whether somebody wants to know what becomes of a line.
func isAskedFor(tx *bbolt.Tx, key string) bool {
	return key != "" && tx.Bucket(bucketKeys).Get([]byte(key)) != nil
}

// sumUp replaces all lines of a target that are not held, are no reminders, and
// that nobody asks for, by the one that words makes of them. It does nothing when there
// are less than two.
func (o *Outbox) sumUp(ctx context.Context, target string, words func(*summary) string) error {
	var sum *summary
	var numbers []uint64
	err := o.change(ctx, func(tx *bbolt.Tx) error {
		sum, numbers = &summary{}, nil
		err := scan(tx, target, 0, func(r record) (bool, error) {
			o.mu.Lock()
			defer o.mu.Unlock()
			if !r.Reminder && !isAskedFor(tx, r.Key) && o.held[place{target, r.number}] == 0 {
				numbers = append(numbers, r.number)
				sum.add(&r)
			}
			return true, nil
		})
		if err != nil || len(numbers) < 2 {
			return err
		}
		for _, n := range numbers {
			if _, err := remove(tx, place{target, n}); err != nil {
				return err
			}
		}
		// It stands where the last of them stood: what comes later is behind it.
		b := tx.Bucket(bucketLines).Bucket([]byte(target))
		one := record{Text: words(sum), Time: sum.until, Sum: sum.counts, Last: sum.last}
		if err := putJSON(b, numberKey(numbers[len(numbers)-1]), &one); err != nil {
			return err
		}
		return count(tx, map[string]int{target: 1 - len(numbers)}, nil)
	})
	if err == nil && len(numbers) > 1 {
		o.add(map[string]int{target: 1 - len(numbers)}, nil)
	}
	return err
}
