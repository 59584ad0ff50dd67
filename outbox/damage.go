package outbox

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"go.etcd.io/bbolt"

	"vext/internal/store"
)

// damagedMark stands between the name of a quarantined database and what distinguishes it from
// others.
const damagedMark = ".damaged-"

// Damaged returns the paths of the quarantined databases of a state directory.
func Damaged(state string) []string {
	return slices.Concat(store.Quarantined(filepath.Join(state, fileName), damagedMark), store.Quarantined(filepath.Join(state, formerDir, fileName), damagedMark))
}

func (o *Outbox) view(f func(*bbolt.Tx) error) error {
	return store.Guard(func() error { return o.db.View(f) })
}

// update is for the writer alone. After a transaction that has found damage nobody
// knows what it has left: there is no other, and the next process makes a new database.
func (o *Outbox) update(f func(*bbolt.Tx) error) error {
	if o.dead != nil {
		return o.dead
	}
	err := store.Guard(func() error { return o.db.Update(f) })
	if errors.Is(err, store.ErrDamaged) {
		o.dead = err
		if !o.isLoaded {
			return err // Open quarantines it
		}
		os.Rename(o.db.Path(), o.db.Path()+damagedMark+strconv.Itoa(os.Getpid()))
	}
	return err
}
