package notice

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime/debug"
	"slices"
	"syscall"
	"time"
	"unicode/utf8"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"vext/internal/disk"
)

const (
	// memoryName is the file of the memory in the state directory, and brokenName
	// begins those of memories that were set aside; the time follows, in UTC.
	memoryName  = "notices.db"
	brokenName  = memoryName + ".broken-"
	brokenStamp = "20060102T150405Z"
	// openWait is how long another process may take to let the memory go.
	openWait = 200 * time.Millisecond
)

// OpenMemory opens the memory in a state directory, and makes it where there is
// none. One that can't be read is set aside, see BrokenMemories: to announce a
// commit twice is better than none.
func OpenMemory(state string, now time.Time, log *slog.Logger) (*Memory, error) {
	path := filepath.Join(state, memoryName)
	db, err := open(path)
	if errors.Is(err, errBroken) {
		aside := filepath.Join(state, brokenName+now.UTC().Format(brokenStamp))
		if asideErr := disk.Rename(path, aside); asideErr != nil {
			return nil, fmt.Errorf("%s: %w; and it can't be set aside: %w", path, err, asideErr)
		}
		log.Error("notices: what was announced can't be read; begun anew, so that a commit may be announced twice", "err", err, "aside", aside)
		db, err = open(path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Memory{db}, nil
}

// BrokenMemories returns the paths of the memories that were set aside because
// they could not be read, the oldest first.
func BrokenMemories(state string) []string {
	paths, _ := filepath.Glob(filepath.Join(state, brokenName+"*"))
	slices.Sort(paths)
	return paths
}

// Close lets the memory go.
func (m *Memory) Close() error { return m.db.Close() }

// errBroken says that what is in the file is wrong, and not the machine.
var errBroken = errors.New("broken")

// open opens a database and looks at all of it. bbolt maps the file and believes
// it: at pages that are wrong it panics, and at such that are missing the memory
// faults. A database that has panicked may hold its own locks, and is left.
func open(path string) (db *bbolt.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := recover(); fault != nil {
			db, err = nil, fmt.Errorf("%w: %v", errBroken, fault)
		}
	}()
	db, err = bbolt.Open(path, disk.FileMode, &bbolt.Options{Timeout: openWait, FreelistType: bbolt.FreelistMapType})
	var machine syscall.Errno
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, errors.New("in use by another process")
	case errors.As(err, &machine):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errBroken, err)
	}
	if err = db.View(check); err == nil {
		err = db.Update(prepare)
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
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
		return fmt.Errorf("%w: %w", errBroken, err)
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
