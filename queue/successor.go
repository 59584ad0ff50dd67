package queue

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"vext/internal/commit"
	"vext/internal/history"
)

// Successor returns the item that replaces one whose commit was amended or rebased,
// the last one of several. It is nil when the commit was not amended, and when counts
// is false for the successor. Successor sets SupersededBy of the item. A quarantined
// message has no successor.
func (q *Queue) Successor(item *Item, counts func(*Item) bool) (*Item, error) {
	if item.Place == InQuarantine {
		return nil, nil
	}
	known, err := q.kept(item.Name)
	if err != nil {
		return nil, err
	}
	key := q.History.CanonicalKey(item.Key)
	for seen := []string(nil); !slices.Contains(seen, key); {
		seen = append(seen, key)
		if revision, successor := known.Successor(key); revision != "" {
			item.SupersededBy, key = revision, successor
		}
	}
	if item.SupersededBy == "" {
		return nil, nil
	}
	return q.findKey(key, known.MovedName(key), counts)
}

// findKey returns the item of a commit. It prefers the one with a name, because others
// may only claim to be the same commit.
func (q *Queue) findKey(key, name string, counts func(*Item) bool) (found *Item, err error) {
	for _, list := range q.places() {
		items, err := list()
		if err != nil {
			return nil, err
		}
		for i := range items {
			item := &items[i]
			switch {
			case !commit.SameCommit(q.History.CanonicalKey(item.Key), key) || !counts(item):
			case item.Name == name:
				return item, nil
			case found == nil:
				found = item
			}
		}
	}
	return found, nil
}

// superseded returns the commits that were amended or rebased, from the history alone,
// because their messages may be no longer kept.
func (q *Queue) superseded() ([]Item, error) {
	known, err := q.kept()
	var items []Item
	for _, e := range known.Moved() {
		items = append(items, Item{Event: e, Name: e.Name, Place: InDone})
	}
	return items, err
}

// lookup looks up the message of an item in the history. The error moved says that its
// commit was amended, so that a second reminder must not be made.
func (q *Queue) lookup(item *Item) (byName *history.State, moved, err error) {
	known, err := q.kept(item.Name)
	if err != nil {
		return nil, nil, err
	}
	byName = known.Name(item.Name)
	revision, _ := known.Successor(item.Key)
	if byName.Moved {
		revision = byName.Ended.Successor
	}
	if revision != "" {
		moved = fmt.Errorf("%s was amended or rebased to %s, and has no reminder of its own", item.Short(), commit.ShortRevision(revision))
	}
	return byName, moved, nil
}

// Events returns the events of a message, in their order.
func (q *Queue) Events(name string) ([]history.Event, error) {
	known, err := q.kept(name)
	if err != nil {
		return nil, err
	}
	return known.Events(name)
}

// kept returns the index of all messages that are kept, and of others. The queue keeps
// the index, which reads only what was appended since the last time.
func (q *Queue) kept(others ...string) (*history.Index, error) {
	names, err := q.keptNames()
	if err != nil {
		return nil, err
	}
	x := q.History.NewIndex()
	x.Add(append(names, others...), nil)
	if q.index == nil || !q.index.Covers(x) {
		q.index = x
		x.KeepEvents()
	}
	return q.index, q.index.Fill()
}

// keptNames returns the names of all files where messages are kept.
func (q *Queue) keptNames() (names []string, err error) {
	dirs := []string{q.Spool.Dir(), q.failed()}
	for _, parent := range []string{q.dir(), q.done()} {
		days, dirErr := readDir(parent)
		err = errors.Join(err, dirErr)
		for _, day := range days {
			if day.IsDir() {
				dirs = append(dirs, filepath.Join(parent, day.Name()))
			}
		}
	}
	for _, dir := range dirs {
		files, dirErr := readDir(dir)
		err = errors.Join(err, dirErr)
		for _, f := range files {
			names = append(names, f.Name())
		}
	}
	return names, err
}
