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
	isLoaded  bool

	changes chan *change
	closing chan struct{}
	written chan struct{} // closed when the writer has ended
	close   func() error
	dead    error         // of the writer, which ended all writing
	more    chan struct{} // room for one: there is something in done
	bounced chan struct{} // room for one: the transport has rejected a reminder

	mu       sync.Mutex
	backlogs map[string]*backlog
	claimed  map[place]bool // by the transport, or by a change that removes it
	done     []result       // not yet written
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
	Count     int       `json:"count"`
	Delivered time.Time `json:"told,omitzero"`
	Secret    string    `json:"key,omitempty"` // of the recipient

	Bounced     int       `json:"rejected,omitempty"`
	LastBounced time.Time `json:"rejected_time,omitzero"`
	LastReason  string    `json:"rejection,omitempty"`
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
		more: make(chan struct{}, 1), bounced: make(chan struct{}, 1), backlogs: map[string]*backlog{}, claimed: map[place]bool{},
	}
	o.close = sync.OnceValue(func() error {
		close(o.closing)
		<-o.written
		if o.dead != nil {
			return o.dead // its locks are lost
		}
		return db.Close()
	})
	if err := o.load(); err != nil {
		if !errors.Is(err, store.ErrDamaged) {
			db.Close()
		}
		return nil, err
	}
	o.isLoaded = true
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

// load makes the buckets, reads the backlogs, and removes what is too old.
func (o *Outbox) load() error {
	now := o.now()
	return o.update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketLines, bucketTargets, bucketKeys} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		var old [][]byte
		err := tx.Bucket(bucketTargets).ForEach(func(url, value []byte) error {
			b := new(backlog)
			if err := decode(value, b); err != nil {
				return err
			}
			if b.Count == 0 && now.Sub(b.Delivered) > keepRecipient && now.Sub(b.LastBounced) > keepRecipient {
				old = append(old, bytes.Clone(url))
			} else {
				o.backlogs[string(url)] = b
			}
			return nil
		})
		for _, url := range old {
			err = errors.Join(err, tx.Bucket(bucketTargets).Delete(url))
			if tx.Bucket(bucketLines).Bucket(url) != nil {
				err = errors.Join(err, tx.Bucket(bucketLines).DeleteBucket(url))
			}
		}
		return errors.Join(err, removeOldKeys(tx, now))
	})
}

func removeOldKeys(tx *bbolt.Tx, now time.Time) error {
	var old [][]byte
	err := eachKeyed(tx, func(key []byte, k *keyed) {
		if !k.isPending() && now.Sub(k.end()) > keepKey {
			old = append(old, bytes.Clone(key))
		}
	})
	for _, key := range old {
		err = errors.Join(err, tx.Bucket(bucketKeys).Delete(key))
	}
	return err
}

// eachKeyed calls f for every key.
func eachKeyed(tx *bbolt.Tx, f func(key []byte, k *keyed)) error {
	return tx.Bucket(bucketKeys).ForEach(func(key, value []byte) error {
		var k keyed
		if err := decode(value, &k); err != nil {
			return err
		}
		f(key, &k)
		return nil
	})
}

// getKeyed returns what is known of a key, nil when it is not.
func getKeyed(tx *bbolt.Tx, key string) (*keyed, error) {
	value := tx.Bucket(bucketKeys).Get([]byte(key))
	if key == "" || value == nil {
		return nil, nil
	}
	k := new(keyed)
	return k, decode(value, k)
}

// decode decodes a value. One that can't be decoded is damaged.
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
