package irc

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"go.etcd.io/bbolt"

	"vext/internal/store"
)

// damagedMark is behind the name of an outbox that was set aside, with what
// tells it from others behind it.
const damagedMark = ".damaged-"

// Damaged returns the paths of outboxes that were set aside in a state
// directory.
func Damaged(state string) []string {
	return store.Quarantined(filepath.Join(state, dirName, outboxName), damagedMark)
}

func (o *Outbox) view(f func(*bbolt.Tx) error) error {
	return store.Guard(func() error { return o.db.View(f) })
}

// update is for the writer alone. Once a transaction has found damage nobody
// knows what it has left: there is no other, and the next process begins anew.
func (o *Outbox) update(f func(*bbolt.Tx) error) error {
	if o.dead != nil {
		return o.dead
	}
	err := store.Guard(func() error { return o.db.Update(f) })
	if errors.Is(err, store.ErrDamaged) {
		o.dead = err
		if !o.isLoaded {
			return err // who opens it sets it aside
		}
		os.Rename(o.db.Path(), o.db.Path()+damagedMark+strconv.Itoa(os.Getpid()))
	}
	return err
}
