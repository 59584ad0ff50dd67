// Package store opens bbolt databases and handles files that are in use, corrupt or
// truncated.
package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"vext/internal/disk"
)

var (
	// ErrInUse says that another process has opened the database.
	ErrInUse = errors.New("in use by another process")
	// ErrDamaged says that the content of a file is corrupt.
	ErrDamaged = errors.New("damaged")
)

// maxOpenWait is how long Open waits for another process to close the database.
const maxOpenWait = 200 * time.Millisecond

// Guard runs f and returns ErrDamaged for a panic or a memory fault in it. bbolt maps
// the file into memory: it panics at a corrupt page, and the memory faults behind the
// end of a truncated file. A database that has panicked may hold its own locks, and
// must not be used any more.
func Guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, fault)
		}
	}()
	return f()
}

// Open opens a database, and creates a missing one. The error is ErrInUse, ErrDamaged,
// or that of the operating system.
func Open(path string, mode fs.FileMode) (db *bbolt.DB, err error) {
	err = Guard(func() error {
		db, err = bbolt.Open(path, mode, &bbolt.Options{Timeout: maxOpenWait, FreelistType: bbolt.FreelistMapType})
		var machine syscall.Errno
		switch {
		case errors.Is(err, berrors.ErrTimeout):
			return ErrInUse
		case errors.As(err, &machine):
			return err
		case err != nil:
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		return checkSize(db)
	})
	return db, err
}

// checkSize returns ErrDamaged for a truncated file.
func checkSize(db *bbolt.DB) error {
	var want int64
	if err := db.View(func(tx *bbolt.Tx) error { want = tx.Size(); return nil }); err != nil {
		return err
	}
	info, err := os.Stat(db.Path())
	if err == nil && info.Size() < want {
		err = fmt.Errorf("%w: %d bytes of %d", ErrDamaged, info.Size(), want)
	}
	return err
}

// stamp is the layout of the time in the name of a quarantined file, in UTC.
const stamp = "20060102T150405Z"

// Quarantine renames the file of a damaged database, and returns its new path: the
// old one followed by mark, such as ".damaged-", and the time.
func Quarantine(path, mark string, now time.Time) (moved string, err error) {
	moved = path + mark + now.UTC().Format(stamp)
	return moved, disk.Rename(path, moved)
}

// Quarantined returns the paths of quarantined databases, the oldest first.
func Quarantined(path, mark string) []string {
	found, _ := filepath.Glob(path + mark + "*")
	slices.Sort(found)
	return found
}
