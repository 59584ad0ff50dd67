package queue

import (
	"fmt"
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
	key, name := q.History.CanonicalKey(item.Key), ""
	for seen := []string(nil); key != "" && !slices.Contains(seen, key); {
		seen = append(seen, key)
		known, err := q.History.LookupSources(nil, []string{key})
		if err != nil {
			return nil, err
		}
		state := known.Preferred(key)
		if name = ""; state.Queued != nil {
			name = state.Queued.Name
		}
		if !state.Moved {
			break
		}
		item.SupersededBy = state.Ended.Successor
		key = q.History.CanonicalKey(successorKey(state.Ended))
	}
	if item.SupersededBy == "" {
		return nil, nil
	}
	return q.findKey(key, name, counts)
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
	var items []Item
	_, err := q.History.Scan(func(e *history.Event) {
		if e.Kind != history.Superseded || e.Successor == "" {
			return
		}
		event := *e
		items = slices.DeleteFunc(items, func(i Item) bool { return i.Key == e.Key }) // it came back, and was amended again
		items = append(items, Item{Event: &event, Name: e.Name, Place: InDone})
	})
	return items, err
}

// lookup looks up the message of an item in the history. The error moved says that its
// commit was amended, so that a second reminder must not be made.
func (q *Queue) lookup(item *Item, also ...func(*history.Event)) (byName *history.State, moved, err error) {
	key := q.History.CanonicalKey(item.Key)
	known, err := q.History.LookupSources([]string{item.Name}, []string{key}, also...)
	if err != nil {
		return nil, nil, err
	}
	byName = known.Name(item.Name)
	for _, s := range []*history.State{byName, known.Preferred(key)} {
		if s.Moved {
			moved = fmt.Errorf("%s was amended or rebased to %s, and has no reminder of its own",
				item.Short(), commit.ShortRevision(s.Ended.Successor))
		}
	}
	return byName, moved, nil
}
