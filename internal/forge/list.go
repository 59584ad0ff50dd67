package forge

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"vext/internal/commit"
)

// maxList is how many items of an array are kept. GitHub, which lists the
// most commits, stops at 2048.
const maxList = 4096

// A list is an array in a payload, and empty for what is no array. It keeps
// only items that are of use: an array of empty objects would take a hundred
// times the memory of its text.
type list[T interface{ usable() bool }] struct {
	items      []T
	passedOver int
}

// UnmarshalJSON implements json.Unmarshaler. What it is given is JSON, so
// that nothing in it is an error.
func (l *list[T]) UnmarshalJSON(data []byte) error {
	*l = list[T]{}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if start, err := decoder.Token(); err != nil || start != json.Delim('[') {
		return nil
	}
	for decoder.More() {
		var item T
		if err := decoder.Decode(&item); err != nil && !errors.As(err, new(*json.UnmarshalTypeError)) {
			return nil
		}
		if len(l.items) == maxList || !item.usable() {
			l.passedOver++
			continue
		}
		l.items = append(l.items, item)
	}
	return nil
}

// files is an array of paths, and empty for what is none.
type files []string

// maxFiles bounds the paths of one commit. GitHub lists up to 3,000 of a push.
const maxFiles = 3000

// UnmarshalJSON implements json.Unmarshaler. What it is given is JSON, so
// that nothing in it is an error.
func (f *files) UnmarshalJSON(data []byte) error {
	*f = nil
	decoder := json.NewDecoder(bytes.NewReader(data))
	if start, err := decoder.Token(); err != nil || start != json.Delim('[') {
		return nil
	}
	for decoder.More() && len(*f) < maxFiles {
		var path string
		if err := decoder.Decode(&path); err != nil && !errors.As(err, new(*json.UnmarshalTypeError)) {
			return nil
		}
		*f = append(*f, path)
	}
	return nil
}

// described are the commits of an update as its payload has them.
type described struct {
	commits    []commit.Commit
	passedOver int // how many had no full hash, or were too many
	// newestFirst is the order that the forge documents.
	newestFirst bool
	// allOfThem is set when the payload itself tells that none are missing
	// when it lists none: it counts them, or says that the branch was set back.
	allOfThem bool
}

// take puts the commits that the payload describes into the update, oldest
// first, and works out whether they are all that were pushed.
//
// The commit that the branch now has must be the newest of them. Which end of
// the list is the newest is seen from that, because forges have changed their
// minds about it. An update of a branch that was there must have commits. A
// branch that is new needs none: it may begin where another one is.
func (u *Update) take(p *Push, d described) {
	if u.After == "" {
		return
	}
	if n := len(d.commits); n == 0 {
		u.Incomplete = u.Before != "" && u.Before != u.After && !d.allOfThem
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
		shorten(&c)
		c.Clean()
		u.Commits = append(u.Commits, c)
	}
	u.Listed = len(u.Commits)
	u.Incomplete = u.Incomplete || d.passedOver > 0 || u.Total > u.Listed
}

// shorten leaves out facts of an absurd length. Half an address would be
// another one.
func shorten(c *commit.Commit) {
	for _, fact := range []*string{&c.URL, &c.Author.Name, &c.Author.Email, &c.Committer.Name, &c.Committer.Email} {
		if len(*fact) > maxFact {
			*fact = ""
		}
	}
}
