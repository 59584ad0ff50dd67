package announce

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"
	"unicode/utf8"

	"go.etcd.io/bbolt"

	"vext/internal/disk"
	"vext/internal/store"
)

// memoryName is the file of the memory in the state directory, and brokenMark
// stands behind it in the names of memories that were set aside.
const (
	memoryName = "notices.db"
	brokenMark = ".broken-"
)

// OpenSeenStore opens the memory in a state directory, and makes it where there is
// none. One that can't be read is set aside, see BrokenSeenStores: to announce a
// commit twice is better than none.
func OpenSeenStore(state string, now time.Time, log *slog.Logger) (*SeenStore, error) {
	path := filepath.Join(state, memoryName)
	db, err := open(path)
	if errors.Is(err, store.ErrDamaged) {
		aside, asideErr := store.SetAside(path, brokenMark, now)
		if asideErr != nil {
			return nil, fmt.Errorf("%s: %w; and it can't be set aside: %w", path, err, asideErr)
		}
		log.Error("notices: what was announced can't be read; begun anew, so that a commit may be announced twice", "err", err, "aside", aside)
		db, err = open(path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &SeenStore{db}, nil
}

// BrokenSeenStores returns the paths of the memories that were set aside because
// they could not be read, the oldest first.
func BrokenSeenStores(state string) []string {
	return store.Aside(filepath.Join(state, memoryName), brokenMark)
}

// Close lets the memory go.
func (m *SeenStore) Close() error { return m.db.Close() }

// open opens a database and looks at all of it.
func open(path string) (*bbolt.DB, error) {
	db, err := store.Open(path, disk.FileMode)
	if err != nil {
		return nil, err
	}
	return db, store.Guard(func() error {
		err := db.View(check)
		if err == nil {
			err = db.Update(prepare)
		}
		if err != nil {
			db.Close()
		}
		return err
	})
}

// check reads and looks up every entry here, where a fault is caught, and then
// has bbolt look at how its pages hang together, which it does elsewhere.
func check(tx *bbolt.Tx) error {
	err := entries(tx.Bucket(bucketTold), func(key, value []byte) bool {
		_, ok := remembered(key, value)
		return ok && len(value) >= 8
	})
	if err == nil {
		err = entries(tx.Bucket(bucketKeys), func(key, _ []byte) bool { return utf8.Valid(key) })
	}
	if err == nil {
		for wrong := range tx.Check(bbolt.WithKVStringer(unread{})) { // it has to be read to its end
			err = cmp.Or(err, wrong)
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return nil
}

// entries reports an entry that is wrong, or is not found where it is looked
// for. A bucket that is missing is one that was not made yet.
func entries(bucket *bbolt.Bucket, isRight func(key, value []byte) bool) error {
	if bucket == nil {
		return nil
	}
	return bucket.ForEach(func(key, value []byte) error {
		if !isRight(key, value) || bucket.Get(key) == nil {
			return errors.New("a wrong entry")
		}
		return nil
	})
}

// unread shows keys without a look at them: they may lie where nothing is.
type unread struct{}

func (unread) KeyToString([]byte) string   { return "a key" }
func (unread) ValueToString([]byte) string { return "a value" }

func prepare(tx *bbolt.Tx) error {
	for _, name := range [][]byte{bucketTold, bucketKeys} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return nil
}
