package irc

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"vext/notify"
)

// An Outbox keeps on disk what is to be told. It is a bbolt database, which one
// process at a time can open:
//
//	lines/TARGET/NUMBER  a record: a line that waits, in the order of its coming
//	targets/TARGET       a backlog: how many wait, and when the last was told
//	keys/KEY             a keyed: where a line with a key stands, or its outcome
//
// TARGET is a URL as target.URL gives it, NUMBER eight bytes, big end first.
// Everything that is written goes through one goroutine, which puts what
// arrives while it syncs into the next transaction. It is safe for use by many
// goroutines.
type Outbox struct {
	db      *bbolt.DB
	changes chan *change
	closing chan struct{}
	written chan struct{} // closed when the writer has ended
	close   func() error

	ended   chan struct{} // room for one: there is something in told
	settled chan struct{} // room for one: a reminder has been told

	mu       sync.Mutex
	backlogs map[string]*backlog
	held     map[place]holder
	told     []done
}

// A done line was told; that is not on disk yet.
type done struct {
	place
	at time.Time
}

// A place is where a line stands.
type place struct {
	target string
	number uint64
}

// A holder says who keeps a line from others: the connection that is about to
// tell it, or somebody who takes it back.
type holder int

const (
	onWire holder = iota + 1
	withdrawn
)

// A record is a line that waits.
type record struct {
	Text     string    `json:"text"`
	Time     time.Time `json:"time"` // of its coming
	Project  string    `json:"project,omitempty"`
	Commits  int       `json:"commits,omitempty"`
	Key      string    `json:"key,omitempty"`
	Reminder bool      `json:"reminder,omitempty"`

	Sum  map[string]int `json:"sum,omitempty"`  // of a line that sums others up: see summary
	Last string         `json:"last,omitempty"` // and what the last of these said

	number uint64
}

// A backlog is what is known of a target's lines.
type backlog struct {
	Count int       `json:"count"`
	Told  time.Time `json:"told,omitzero"`
	Key   string    `json:"key,omitempty"` // of the channel, as it was last named
}

// A keyed is what is known of a line with a key.
type keyed struct {
	Target   string    `json:"target"`
	Number   uint64    `json:"number"`
	Accepted time.Time `json:"accepted"`
	Told     time.Time `json:"told,omitzero"`
}

func (k *keyed) isOpen() bool { return k.Told.IsZero() }

// ErrInUse says that another process has the outbox.
var ErrInUse = errors.New("the outbox of IRC is in use by another process")

var bucketLines, bucketTargets, bucketKeys = []byte("lines"), []byte("targets"), []byte("keys")

// Where the outbox is in the state directory. What is in there can have
// passwords of servers and keys of channels in it.
const (
	dirName    = "irc"
	dirMode    = 0o700
	outboxName = "outbox.db"
	outboxMode = 0o600
)

// openWait is how long another process may take to let the outbox go.
const openWait = 200 * time.Millisecond

// keepTarget is how long a target is remembered to which nothing is told.
const keepTarget = 30 * 24 * time.Hour

// Open opens the outbox in a state directory and makes it where there is none.
// The error is ErrInUse while another process has it.
func Open(state string, now time.Time) (*Outbox, error) {
	dir := filepath.Join(state, dirName)
	if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	path := filepath.Join(dir, outboxName)
	db, err := bbolt.Open(path, outboxMode, &bbolt.Options{Timeout: openWait, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	o := &Outbox{
		db: db, changes: make(chan *change), closing: make(chan struct{}), written: make(chan struct{}),
		ended: make(chan struct{}, 1), settled: make(chan struct{}, 1), backlogs: map[string]*backlog{}, held: map[place]holder{},
	}
	o.close = sync.OnceValue(func() error {
		close(o.closing)
		<-o.written
		return db.Close()
	})
	if err := o.load(now); err != nil {
		db.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	go o.write()
	return o, nil
}

// IsThere reports whether a state directory has an outbox.
func IsThere(state string) bool {
	_, err := os.Stat(filepath.Join(state, dirName, outboxName))
	return err == nil
}

// Close ends all that is being written and lets the outbox go.
func (o *Outbox) Close() error { return o.close() }

// load makes the buckets, reads the backlogs, and forgets targets that nobody
// names any more.
func (o *Outbox) load(now time.Time) error {
	return o.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketLines, bucketTargets, bucketKeys} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		var old [][]byte
		err := tx.Bucket(bucketTargets).ForEach(func(name, value []byte) error {
			b := &backlog{}
			if err := json.Unmarshal(value, b); err != nil {
				return err
			}
			if b.Count == 0 && now.Sub(b.Told) > keepTarget {
				old = append(old, bytes.Clone(name))
			} else {
				o.backlogs[string(name)] = b
			}
			return nil
		})
		for _, name := range old {
			err = errors.Join(err, tx.Bucket(bucketTargets).Delete(name), tx.Bucket(bucketLines).DeleteBucket(name))
		}
		return err
	})
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

// tellAgain is how long to wait when it could not be written what was told.
const tellAgain = 5 * time.Second

// apply applies changes, and what was told meanwhile, in one transaction.
func (o *Outbox) apply(together []*change) bool {
	o.mu.Lock()
	told := o.told
	o.told = nil
	o.mu.Unlock()
	if len(told)+len(together) == 0 {
		return true
	}
	var less map[string]int
	var reminders bool
	err := o.db.Update(func(tx *bbolt.Tx) error {
		for _, c := range together {
			if err := c.apply(tx); err != nil {
				return err
			}
		}
		var err error
		less, reminders, err = o.remove(tx, told)
		return err
	})
	if err != nil {
		err = fmt.Errorf("%s: %w", o.db.Path(), err)
		o.mu.Lock()
		o.told = append(told, o.told...)
		o.mu.Unlock()
	} else {
		o.removed(told, less)
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
func (o *Outbox) put(ctx context.Context, now time.Time, all []notify.Line, targets []string, keys map[string]string) error {
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
		return o.count(tx, more, time.Time{}, keys)
	})
	if err == nil {
		o.add(more, time.Time{}, keys)
	}
	return err
}

func putLine(tx *bbolt.Tx, now time.Time, line *notify.Line, target string) (isNew bool, err error) {
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
	r := record{Text: line.Text, Time: now, Project: line.Project, Commits: line.Commits, Key: line.Key, Reminder: line.Reminder}
	if err := putJSON(b, numberKey(number), &r); err != nil || line.Key == "" {
		return true, err
	}
	return true, putJSON(keys, []byte(line.Key), &keyed{Target: target, Number: number, Accepted: now})
}

// count brings the backlogs on disk up to date: more lines for targets, or
// fewer; told, unless it is zero, is when they were told; keys may be nil.
func (o *Outbox) count(tx *bbolt.Tx, more map[string]int, told time.Time, keys map[string]string) error {
	b := tx.Bucket(bucketTargets)
	for target, n := range more {
		var known backlog
		if value := b.Get([]byte(target)); value != nil {
			if err := json.Unmarshal(value, &known); err != nil {
				return err
			}
		}
		known.update(n, told, keys[target])
		if err := putJSON(b, []byte(target), &known); err != nil {
			return err
		}
	}
	return nil
}

// add is count for the backlogs in memory.
func (o *Outbox) add(more map[string]int, told time.Time, keys map[string]string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for target, n := range more {
		known := o.backlogs[target]
		if known == nil {
			known = &backlog{}
			o.backlogs[target] = known
		}
		known.update(n, told, keys[target])
	}
}

func (b *backlog) update(more int, told time.Time, key string) {
	b.Count += more
	if !told.IsZero() {
		b.Told = told
	}
	if key != "" {
		b.Key = key
	}
}

// key returns the key of a channel, as it was last named.
func (o *Outbox) key(target string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if b := o.backlogs[target]; b != nil {
		return b.Key
	}
	return ""
}

func putJSON(b *bbolt.Bucket, key []byte, v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return b.Put(key, value)
}

// wake sends to a channel that has room for one, unless there is one in it.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func numberKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
