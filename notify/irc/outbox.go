package irc

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"vext/internal/store"

	"go.etcd.io/bbolt"
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
	SetAside string // the path of the damaged one that was there, "" for none

	db      *bbolt.DB
	changes chan *change
	closing chan struct{}
	written chan struct{} // closed when the writer has ended
	close   func() error

	isLoaded bool

	dead    error         // of the writer, that ended all writing
	ended   chan struct{} // room for one: there is something in done
	settled chan struct{} // room for one: a reminder has been told, or rejected

	mu       sync.Mutex
	backlogs map[string]*backlog
	held     map[place]holder
	done     []done
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

	Rejected     int       `json:"rejected,omitempty"` // how many lines were, ever
	RejectedTime time.Time `json:"rejected_time,omitzero"`
	Rejection    string    `json:"rejection,omitempty"` // of the last of them
}

// A keyed is what is known of a line with a key.
type keyed struct {
	Target   string    `json:"target"`
	Number   uint64    `json:"number"`
	Accepted time.Time `json:"accepted"`
	Told     time.Time `json:"told,omitzero"`

	Rejected  time.Time `json:"rejected,omitzero"`
	Rejection string    `json:"rejection,omitempty"`
}

func (k *keyed) isOpen() bool { return k.ended().IsZero() }

// ended returns when the line was told or rejected.
func (k *keyed) ended() time.Time {
	if k.Told.IsZero() {
		return k.Rejected
	}
	return k.Told
}

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

// keepTarget is how long a target is remembered to which nothing is told.
const keepTarget = 30 * 24 * time.Hour

// Open opens the outbox in a state directory and makes it where there is none.
// The error is ErrInUse while another process has it. One that is damaged is set
// aside, and another begun: it must not keep everything else from being told.
// SetAside says where it is then.
func Open(state string, now time.Time) (*Outbox, error) {
	dir := filepath.Join(state, dirName)
	if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	path := filepath.Join(dir, outboxName)
	o, err := openAt(path, now)
	if errors.Is(err, store.ErrDamaged) {
		var aside string
		if aside, err = store.Quarantine(path, damagedMark, now); err == nil {
			o, err = openAt(path, now)
		}
		if err == nil {
			o.SetAside = aside
		}
	}
	if err != nil && !errors.Is(err, ErrInUse) {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return o, err
}

func openAt(path string, now time.Time) (*Outbox, error) {
	db, err := store.Open(path, outboxMode)
	if errors.Is(err, store.ErrInUse) {
		return nil, ErrInUse
	}
	if err != nil {
		return nil, err
	}
	o := &Outbox{
		db: db, changes: make(chan *change), closing: make(chan struct{}), written: make(chan struct{}),
		ended: make(chan struct{}, 1), settled: make(chan struct{}, 1), backlogs: map[string]*backlog{}, held: map[place]holder{},
	}
	o.close = sync.OnceValue(func() error {
		close(o.closing)
		<-o.written
		if o.dead != nil {
			return o.dead // its locks are not to be had any more
		}
		return db.Close()
	})
	if err := o.load(now); err != nil {
		if !errors.Is(err, store.ErrDamaged) { // else its locks may not be to be had
			db.Close()
		}
		return nil, err
	}
	o.isLoaded = true
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
	return o.update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketLines, bucketTargets, bucketKeys} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		var old [][]byte
		err := tx.Bucket(bucketTargets).ForEach(func(name, value []byte) error {
			b := &backlog{}
			if err := json.Unmarshal(value, b); err != nil {
				return fmt.Errorf("%w: %w", store.ErrDamaged, err)
			}
			if b.Count == 0 && now.Sub(b.Told) > keepTarget && now.Sub(b.RejectedTime) > keepTarget {
				old = append(old, bytes.Clone(name))
			} else {
				o.backlogs[string(name)] = b
			}
			return nil
		})
		for _, name := range old {
			err = errors.Join(err, tx.Bucket(bucketTargets).Delete(name))
			if tx.Bucket(bucketLines).Bucket(name) != nil {
				err = errors.Join(err, tx.Bucket(bucketLines).DeleteBucket(name))
			}
		}
		return errors.Join(err, forgetOld(tx, now))
	})
}

// keepOutcome is how long it is remembered what became of a line for which
// nobody has asked any more.
const keepOutcome = 90 * 24 * time.Hour

func forgetOld(tx *bbolt.Tx, now time.Time) error {
	var old [][]byte
	keys := tx.Bucket(bucketKeys)
	err := keys.ForEach(func(key, value []byte) error {
		var k keyed
		if err := json.Unmarshal(value, &k); err != nil {
			return fmt.Errorf("%w: %w", store.ErrDamaged, err)
		}
		if !k.isOpen() && now.Sub(k.ended()) > keepOutcome {
			old = append(old, bytes.Clone(key))
		}
		return nil
	})
	for _, key := range old {
		err = errors.Join(err, keys.Delete(key))
	}
	return err
}

// count brings the backlogs on disk up to date: more lines for targets, or
// fewer; keys may be nil.
func count(tx *bbolt.Tx, more map[string]int, keys map[string]string) error {
	for target, n := range more {
		if err := changeBacklog(tx, target, func(b *backlog) { b.update(n, keys[target]) }); err != nil {
			return err
		}
	}
	return nil
}

// changeBacklog changes the backlog of a target on disk.
func changeBacklog(tx *bbolt.Tx, target string, change func(*backlog)) error {
	all := tx.Bucket(bucketTargets)
	var b backlog
	if value := all.Get([]byte(target)); value != nil {
		if err := json.Unmarshal(value, &b); err != nil {
			return err
		}
	}
	change(&b)
	return putJSON(all, []byte(target), &b)
}

// add is count for the backlogs in memory.
func (o *Outbox) add(more map[string]int, keys map[string]string) {
	for target, n := range more {
		o.changed(target, func(b *backlog) { b.update(n, keys[target]) })
	}
}

// changed is changeBacklog for the backlog in memory.
func (o *Outbox) changed(target string, change func(*backlog)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.backlogs[target] == nil {
		o.backlogs[target] = &backlog{}
	}
	change(o.backlogs[target])
}

func (b *backlog) update(more int, key string) {
	if b.Count += more; b.Key == "" {
		b.Key = key
	}
}

// end records the end of a line.
func (b *backlog) end(d *done) {
	if b.Count--; d.rejection == "" {
		b.Told = d.at
		return
	}
	b.Rejected++
	b.RejectedTime, b.Rejection = d.at, d.rejection
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

func numberKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
