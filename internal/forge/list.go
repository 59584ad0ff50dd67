package forge

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"vext/internal/commit"
)

// maxList bounds how many items of an array are kept. GitHub lists the most commits, up
// to 2048.
const maxList = 4096

// A list is an array in a payload; anything else counts as an empty array. It keeps only
// usable items, because an array of empty objects would need a hundred times the memory
// of its text.
type list[T interface{ usable() bool }] struct {
	items   []T
	skipped int
}

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (l *list[T]) UnmarshalJSON(data []byte) error {
	*l = list[T]{}
	readArray(data, func(item T) {
		if len(l.items) == maxList || !item.usable() {
			l.skipped++
		} else {
			l.items = append(l.items, item)
		}
	})
	return nil
}

// files is an array of paths; anything else counts as an empty array. GitHub lists up to
// 3,000 of a push.
type files []string

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (f *files) UnmarshalJSON(data []byte) error {
	*f = nil
	readArray(data, func(path string) {
		if len(*f) < maxList {
			*f = append(*f, path)
		}
	})
	return nil
}

// readArray calls take with each item of a JSON array, and not for anything else.
func readArray[T any](data []byte, take func(T)) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if start, err := decoder.Token(); err != nil || start != json.Delim('[') {
		return
	}
	for decoder.More() {
		var item T
		if err := decoder.Decode(&item); err != nil && !errors.As(err, new(*json.UnmarshalTypeError)) {
			return
		}
		take(item)
	}
}

// described are the commits of an update as its payload lists them.
type described struct {
	commits     []commit.Commit
	skipped     int  // how many had no full hash, or were too many
	newestFirst bool // the order that the forge documents
	// mayBeNone is set when an empty list can be complete: the payload counts the
	// commits, or the branch was set back.
	mayBeNone bool
}

// take adds the commits that the payload lists to the update, oldest first, and
// determines whether the list is complete.
//
// The newest commit must be the one that the branch now has. This also shows which end
// of the list is the newest, whatever the forge documents: forges have changed the order.
// An update of an existing branch must have commits; a new branch can point to a known
// commit.
func (u *Update) take(p *Push, d described) {
	if u.After == "" {
		return
	}
	if n := len(d.commits); n == 0 {
		u.Incomplete = u.Before != "" && u.Before != u.After && !d.mayBeNone
	} else if d.commits[n-1].Revision == u.After {
		d.newestFirst = false
	} else if d.commits[0].Revision == u.After {
		d.newestFirst = true
	} else {
		u.Incomplete = true
	}
	if d.newestFirst {
		slices.Reverse(d.commits)
	}
	for _, c := range d.commits {
		c.Repository, c.Refname = p.Repository, u.Refname
		if c.Committer == (commit.Person{}) {
			c.Committer = c.Author
		}
		if c.Author == (commit.Person{}) {
			c.Author = c.Committer
		}
		for _, fact := range []*string{&c.URL, &c.Author.Name, &c.Author.Email, &c.Committer.Name, &c.Committer.Email} {
			if len(*fact) > maxFact {
				*fact = "" // a shortened address would be another one
			}
		}
		c.Clean()
		u.Commits = append(u.Commits, c)
	}
	u.Listed = len(u.Commits)
	u.Incomplete = u.Incomplete || d.skipped > 0 || u.Total > u.Listed
}
