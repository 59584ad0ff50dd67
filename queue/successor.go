package queue

import (
	"fmt"
	"slices"

	"vext/internal/commit"
	"vext/internal/history"
)

// Successor returns the item that has the place of one whose commit was amended
// or rebased: the last, where that was amended or rebased again. It is nil where
// the commit was not, and where there is none for which counts is true. In either
// case it says in SupersededBy of the item to what its commit was amended. A
// message that was quarantined stands for itself.
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
		standing := standingOf(known, key)
		if name = ""; standing.Queued != nil {
			name = standing.Queued.Name
		}
		if !standing.Moved {
			break
		}
		item.SupersededBy = standing.Ended.Successor
		key = q.History.CanonicalKey(successorKey(standing.Ended))
	}
	if item.SupersededBy == "" {
		return nil, nil
	}
	return q.findKey(key, name, counts)
}

// findKey returns the item of a commit: that of a name, if there is one, because
// others may say that they are the same commit.
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

// superseded returns the commits that were amended or rebased, from the history
// alone: their messages may be no longer kept.
func (q *Queue) superseded() ([]Item, error) {
	var items []Item
	_, err := q.History.Scan(func(e *history.Event) {
		if e.Kind != history.Superseded || e.Successor == "" {
			return
		}
		event := *e
		items = slices.DeleteFunc(items, func(i Item) bool { return i.Key == e.Key }) // it came back in between
		items = append(items, Item{Event: &event, Name: e.Name, Place: InDone})
	})
	return items, err
}

// standingOf returns the standing of a commit, whatever a forged mail may have
// said of it.
func standingOf(known *history.Index, key string) *history.State {
	if trusted := known.Trusted(key); trusted.IsKnown() {
		return trusted
	}
	return known.Key(key)
}

// know reads what the history says of the message of an item. The error moved says
// that the reminder of its commit is that of another: to bring it back would make
// two of one.
func (q *Queue) know(item *Item, also ...func(*history.Event)) (byName *history.State, moved, err error) {
	key := q.History.CanonicalKey(item.Key)
	known, err := q.History.LookupSources([]string{item.Name}, []string{key}, also...)
	if err != nil {
		return nil, nil, err
	}
	byName = known.Name(item.Name)
	for _, s := range []*history.State{byName, standingOf(known, key)} {
		if s.Moved {
			moved = fmt.Errorf("%s was amended or rebased to %s, and has no reminder of its own",
				item.Short(), commit.ShortRevision(s.Ended.Successor))
		}
	}
	return byName, moved, nil
}
