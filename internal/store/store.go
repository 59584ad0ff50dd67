// Package store opens bbolt databases, and bears what can happen to their files:
// another process that has one, a page that is wrong, an end that is missing.
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
	// ErrInUse says that another process has the database.
	ErrInUse = errors.New("in use by another process")
	// ErrDamaged says that what is in a file can't be what was written. It is
	// wrong itself, not the machine.
	ErrDamaged = errors.New("damaged")
)

// openWait is how long another process may take to let a database go.
const openWait = 200 * time.Millisecond

// Guard runs f and turns what a damaged file makes of it into ErrDamaged. bbolt
// maps the file into memory and believes it: at pages that are wrong it panics,
// and where there are none the memory faults, which would end the process. A
// database that has panicked may hold its own locks, and is to be left.
func Guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, fault)
		}
	}()
	return f()
}

// Open opens a database, and makes it where there is none. The error is ErrInUse
// or ErrDamaged, or the machine's.
func Open(path string, mode fs.FileMode) (db *bbolt.DB, err error) {
	err = Guard(func() error {
		db, err = bbolt.Open(path, mode, &bbolt.Options{Timeout: openWait, FreelistType: bbolt.FreelistMapType})
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

// checkSize looks whether all of the file is there.
func checkSize(db *bbolt.DB) error {
	var want int64
	if err := db.View(func(tx *bbolt.Tx) error { want = tx.Size(); return nil }); err != nil {
		return err
	}
	info, err := os.Stat(db.Path())
	if err == nil && info.Size() < want {
		err = fmt.Errorf("%w: it has %d bytes of %d", ErrDamaged, info.Size(), want)
	}
	return err
}

// stamp is the time behind the name of a file that was set aside, in UTC.
const stamp = "20060102T150405Z"

// SetAside moves the file of a damaged database away, and returns its new path:
// the old one with mark, such as ".damaged-", and the time behind it.
func SetAside(path, mark string, now time.Time) (aside string, err error) {
	aside = path + mark + now.UTC().Format(stamp)
	return aside, disk.Rename(path, aside)
}

// Aside returns the paths of databases that were set aside, the oldest first.
func Aside(path, mark string) []string {
	found, _ := filepath.Glob(path + mark + "*")
	slices.Sort(found)
	return found
}
