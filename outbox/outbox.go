// Package outbox keeps messages on their way out: on disk, in order for each recipient,
// each once by its key. A transport takes them from there, and says what became of
// each; the outbox records it.
package outbox

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"vext/internal/disk"
	"vext/internal/store"
	"vext/notify"

	"go.etcd.io/bbolt"
)

// An Outbox is a bbolt database, which one process at a time can open:
//
//	lines/URL/NUMBER  a record: a pending message, in the order of arrival
//	targets/URL       a backlog: what is known of a recipient's messages
//	keys/KEY          a keyed: what became of the message with that key
//
// URL is that of a recipient, NUMBER eight bytes, big endian. All writes go through one
// goroutine, which puts what arrives while it syncs into the next transaction. An
// Outbox implements notify.Outbox for those who put messages, and notify.Queue for
// the transport. It is safe for use by many goroutines.
type Outbox struct {
	Quarantined string       // the path of the damaged database that was there, "" for none
	Check       func() error // whether messages may be put now; nil for always

	db        *bbolt.DB
	transport notify.Transport
	now       func() time.Time

	changes chan *change
	closing chan struct{}
	written chan struct{} // closed when the writer has ended
	close   func() error
	dead    error         // of the writer, which ended all writing
	more    chan struct{} // room for one: there is something in done
	bounced chan struct{} // room for one: the transport has rejected a reminder

	mu      sync.Mutex
	claimed map[place]bool // by the transport, or by a change that removes it
	done    []result       // not yet written
}

var _, _ = notify.Outbox((*Outbox)(nil)), notify.Queue((*Outbox)(nil))

// A place is where a message is.
type place struct {
	url    string
	number uint64
}

// A record is a pending message. The names in JSON are those of earlier versions, here
// as below.
type record struct {
	Text     string    `json:"text"`
	Time     time.Time `json:"time"` // of its arrival
	Project  string    `json:"project,omitempty"`
	Commits  int       `json:"commits,omitempty"`
	Key      string    `json:"key,omitempty"`
	Reminder bool      `json:"reminder,omitempty"`

	Sum  map[string]int `json:"sum,omitempty"`  // of a summary
	Last string         `json:"last,omitempty"` // the last text of those that it counts

	number uint64
}

// A backlog is what is known of a recipient's messages.
type backlog struct {
	notify.Backlog
	Secret string `json:"key,omitempty"` // of the recipient
}

// A keyed is what is known of a message with a key.
type keyed struct {
	URL       string    `json:"target"`
	Number    uint64    `json:"number"`
	Accepted  time.Time `json:"accepted"`
	Deadline  time.Time `json:"deadline,omitzero"`
	Delivered time.Time `json:"told,omitzero"`
	Bounced   time.Time `json:"rejected,omitzero"`
	Reason    string    `json:"rejection,omitempty"` // why it bounced
}

func (k *keyed) isPending() bool { return k.end().IsZero() }

// end returns when the message was delivered or bounced.
func (k *keyed) end() time.Time {
	if k.Delivered.IsZero() {
		return k.Bounced
	}
	return k.Delivered
}

func (k *keyed) place() place { return place{k.URL, k.Number} }

// ErrInUse says that another process has the outbox open.
var ErrInUse = errors.New("the outbox is in use by another process")

var bucketLines, bucketTargets, bucketKeys = []byte("lines"), []byte("targets"), []byte("keys")

// The outbox in the state directory. It contains passwords of servers and keys of
// channels. Earlier versions had it in a directory of its own.
const (
	fileName   = "outbox.db"
	fileMode   = 0o600
	formerDir  = "irc"
	formerSock = "door"
)

// keepRecipient is how long a recipient is known for whom nothing is pending.
const keepRecipient = 30 * 24 * time.Hour

// keepKey is how long the key of a message is known after its delivery. A crash between
// Put and the caller's own record of it is repaired within that time: a message that is
// put again is ignored. A key of a message that bounced is kept until Forget, but no
// longer than that.
const keepKey = 90 * 24 * time.Hour

// Open opens the outbox of a state directory and makes it where there is none. The error
// is ErrInUse while another process has it open. A damaged database is quarantined and a
// new one made, so that it does not block everything else; Quarantined is its path then.
func Open(state string, t notify.Transport, now func() time.Time) (*Outbox, error) {
	path := filepath.Join(state, fileName)
	if err := moveFormer(state, path); err != nil {
		return nil, err
	}
	o, err := openAt(path, t, now)
	if errors.Is(err, store.ErrDamaged) {
		var aside string
		if aside, err = store.Quarantine(path, damagedMark, now()); err == nil {
			o, err = openAt(path, t, now)
		}
		if err == nil {
			o.Quarantined = aside
		}
	}
	if err != nil && !errors.Is(err, ErrInUse) {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return o, err
}

// moveFormer moves the outbox of an earlier version to path. A process of that version
// that has it open keeps its lock.
func moveFormer(state, path string) error {
	err := disk.Rename(filepath.Join(state, formerDir, fileName), path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrExist), errors.Is(err, syscall.ENOTDIR):
		return nil
	case err != nil:
		return err
	}
	os.Remove(filepath.Join(state, formerDir, formerSock))
	os.Remove(filepath.Join(state, formerDir)) // unless damaged ones are there
	return disk.SyncDir(state)
}

func openAt(path string, t notify.Transport, now func() time.Time) (*Outbox, error) {
	db, err := store.Open(path, fileMode)
	if errors.Is(err, store.ErrInUse) {
		return nil, ErrInUse
	}
	if err != nil {
		return nil, err
	}
	o := &Outbox{
		db: db, transport: t, now: now, changes: make(chan *change), closing: make(chan struct{}), written: make(chan struct{}),
		more: make(chan struct{}, 1), bounced: make(chan struct{}, 1), claimed: map[place]bool{},
	}
	o.close = sync.OnceValue(func() error {
		close(o.closing)
		<-o.written
		if o.dead != nil {
			return o.dead // its locks are lost
		}
		return db.Close()
	})
	err = store.Guard(func() error {
		return db.Update(func(tx *bbolt.Tx) error { return load(tx, now()) })
	})
	if err != nil {
		if !errors.Is(err, store.ErrDamaged) {
			db.Close()
		}
		return nil, err
	}
	go o.write()
	return o, nil
}

// Exists reports whether a state directory has an outbox.
func Exists(state string) bool {
	for _, dir := range []string{"", formerDir} {
		if _, err := os.Stat(filepath.Join(state, dir, fileName)); err == nil {
			return true
		}
	}
	return false
}

// Close writes what is left to be written and closes the database.
func (o *Outbox) Close() error { return o.close() }

// damagedMark stands between the name of a quarantined database and what distinguishes it
// from others.
const damagedMark = ".damaged-"

// Damaged returns the paths of the quarantined databases of a state directory.
func Damaged(state string) []string {
	return append(store.Quarantined(filepath.Join(state, fileName), damagedMark),
		store.Quarantined(filepath.Join(state, formerDir, fileName), damagedMark)...)
}

func (o *Outbox) view(f func(*bbolt.Tx) error) error {
	return store.Guard(func() error { return o.db.View(f) })
}

// update runs a transaction of the writer. After a transaction that has found damage, the
// state of the database is unknown. So no other transaction follows, and the next process
// makes a new database.
func (o *Outbox) update(f func(*bbolt.Tx) error) error {
	if o.dead != nil {
		return o.dead
	}
	err := store.Guard(func() error { return o.db.Update(f) })
	if errors.Is(err, store.ErrDamaged) {
		o.dead = err
		os.Rename(o.db.Path(), o.db.Path()+damagedMark+strconv.Itoa(os.Getpid()))
	}
	return err
}

// load makes the buckets, reads all that is not a message, and removes what is too old.
func load(tx *bbolt.Tx, now time.Time) error {
	for _, name := range [][]byte{bucketLines, bucketTargets, bucketKeys} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	targets, keys := tx.Bucket(bucketTargets), tx.Bucket(bucketKeys)
	var oldTargets, oldKeys [][]byte
	err := errors.Join(each(targets, func(url []byte, b *backlog) {
		if b.Count == 0 && now.Sub(b.Delivered) > keepRecipient && now.Sub(b.LastBounced) > keepRecipient {
			oldTargets = append(oldTargets, bytes.Clone(url))
		}
	}), each(keys, func(key []byte, k *keyed) {
		if !k.isPending() && now.Sub(k.end()) > keepKey {
			oldKeys = append(oldKeys, bytes.Clone(key))
		}
	}))
	for _, url := range oldTargets {
		err = errors.Join(err, targets.Delete(url))
		if messages(tx, string(url)) != nil {
			err = errors.Join(err, tx.Bucket(bucketLines).DeleteBucket(url))
		}
	}
	for _, key := range oldKeys {
		err = errors.Join(err, keys.Delete(key))
	}
	return err
}

// messages returns the bucket of a recipient's messages, nil when there never was one.
func messages(tx *bbolt.Tx, url string) *bbolt.Bucket {
	return tx.Bucket(bucketLines).Bucket([]byte(url))
}

// each calls f for every value of a bucket.
func each[T any](b *bbolt.Bucket, f func(key []byte, value *T)) error {
	return b.ForEach(func(key, data []byte) error {
		value := new(T)
		if err := decode(data, value); err != nil {
			return err
		}
		f(key, value)
		return nil
	})
}

// get returns a value, nil when there is none.
func get[T any](b *bbolt.Bucket, key []byte) (*T, error) {
	data := b.Get(key)
	if data == nil {
		return nil, nil
	}
	value := new(T)
	return value, decode(data, value)
}

func getKeyed(tx *bbolt.Tx, key string) (*keyed, error) {
	return get[keyed](tx.Bucket(bucketKeys), []byte(key))
}

// decode decodes a value. The error is store.ErrDamaged for an invalid value.
func decode(value []byte, v any) error {
	if err := json.Unmarshal(value, v); err != nil {
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return nil
}

func putJSON(b *bbolt.Bucket, key []byte, v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return b.Put(key, value)
}

func numberKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
