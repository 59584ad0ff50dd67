package announce

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"
	"unicode/utf8"

	"go.etcd.io/bbolt"

	"vext/internal/disk"
	"vext/internal/store"
)

// seenName is the file name of the seen store in the state directory. damagedMark
// follows it in the names of damaged ones. Earlier versions had the others.
const (
	seenName    = "announced.db"
	damagedMark = ".damaged-"

	formerSeenName    = "notices.db"
	formerDamagedMark = ".broken-"
)

// OpenSeenStore opens the seen store of a state directory, and makes it when it does
// not exist. A damaged one is renamed, see DamagedSeenStores, and replaced by an empty
// one: to announce a commit twice is better than not at all.
func OpenSeenStore(state string, now time.Time, log *slog.Logger) (*SeenStore, error) {
	path := filepath.Join(state, seenName)
	err := disk.Rename(filepath.Join(state, formerSeenName), path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	db, err := open(path)
	if errors.Is(err, store.ErrDamaged) {
		renamed, renameErr := store.Quarantine(path, damagedMark, now)
		if renameErr != nil {
			return nil, fmt.Errorf("%s: %w; and it can't be renamed: %w", path, err, renameErr)
		}
		log.Error("announcements: the record of announced commits is damaged; starting an empty one, so a commit may be announced twice", "err", err, "damaged", renamed)
		db, err = open(path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &SeenStore{db}, nil
}

// DamagedSeenStores returns the paths of the damaged seen stores that were renamed, the
// oldest first.
func DamagedSeenStores(state string) []string {
	return append(store.Quarantined(filepath.Join(state, formerSeenName), formerDamagedMark),
		store.Quarantined(filepath.Join(state, seenName), damagedMark)...)
}

// Close closes the store.
func (s *SeenStore) Close() error { return s.db.Close() }

// open opens a database and checks all of it.
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

// check reads and looks up every entry, under store.Guard, which catches faults.
// Then bbolt checks its pages, which it does in a goroutine of its own.
func check(tx *bbolt.Tx) error {
	err := checkEntries(tx.Bucket(bucketTold), func(key, value []byte) bool {
		_, ok := decode(key, value)
		return ok && len(value) >= 8
	})
	if err == nil {
		err = checkEntries(tx.Bucket(bucketKeys), func(key, _ []byte) bool { return utf8.Valid(key) })
	}
	if err == nil {
		for wrong := range tx.Check(bbolt.WithKVStringer(unread{})) { // the channel has to be drained
			err = cmp.Or(err, wrong)
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return nil
}

// checkEntries returns an error for an entry that is wrong, or that a lookup does not
// find. A missing bucket was not made yet.
func checkEntries(bucket *bbolt.Bucket, isRight func(key, value []byte) bool) error {
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

// unread names keys without reading them: they may be outside of the file.
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
