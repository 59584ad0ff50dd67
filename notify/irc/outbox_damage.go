package irc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// ErrDamaged says that what is in the outbox can't be what was written.
var ErrDamaged = errors.New("the outbox of IRC is damaged")

// damagedSuffix is behind the name of an outbox that was set aside, with the
// time after it.
const damagedSuffix = ".damaged-"

// Damaged returns the paths of outboxes that were set aside in a state
// directory.
func Damaged(state string) []string {
	found, _ := filepath.Glob(filepath.Join(state, dirName, outboxName+damagedSuffix+"*"))
	return found
}

// guard runs f and turns what a damaged file makes of it into an error. bbolt
// has the file mapped into memory: where it is cut short, or points to nowhere,
// reading it is a fault, which would end the process.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, r)
		}
	}()
	return f()
}

// openDB opens a database. The error is ErrDamaged when there is none in the
// file, or not all of it.
func openDB(path string) (db *bbolt.DB, err error) {
	err = guard(func() error {
		db, err = bbolt.Open(path, outboxMode, &bbolt.Options{Timeout: openWait, FreelistType: bbolt.FreelistMapType})
		switch {
		case errors.Is(err, berrors.ErrTimeout):
			return ErrInUse
		case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch),
			err != nil && strings.Contains(err.Error(), "file size too small"): // which has no name
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		case err != nil:
			return err
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

// openAnew sets a damaged outbox aside and opens another in its place. It
// returns the path to which the damaged one was moved.
func openAnew(path string, now time.Time) (o *Outbox, aside string, err error) {
	aside = path + damagedSuffix + now.UTC().Format("20060102T150405")
	if err := os.Rename(path, aside); err != nil {
		return nil, "", err
	}
	o, err = openAt(path, now)
	return o, aside, err
}

func (o *Outbox) view(f func(*bbolt.Tx) error) error {
	return guard(func() error { return o.db.View(f) })
}

// update is for the writer alone. Once a transaction has found damage nobody
// knows what it has left: there is no other, and the next process begins anew.
func (o *Outbox) update(f func(*bbolt.Tx) error) error {
	if o.dead != nil {
		return o.dead
	}
	err := guard(func() error { return o.db.Update(f) })
	if errors.Is(err, ErrDamaged) {
		o.dead = err
		if !o.isLoaded {
			return err // who opens it sets it aside
		}
		os.Rename(o.db.Path(), o.db.Path()+damagedSuffix+strconv.Itoa(os.Getpid()))
	}
	return err
}
