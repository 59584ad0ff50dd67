package filter

import (
	"bytes"
	"slices"
	"strings"

	"vext/internal/commit"
	"vext/spool"
)

// arrivals are the commits of a push that are to be announced, without their messages.
type arrivals struct {
	list []commit.Arrival
	last map[branch]int // index of the newest of each branch in the list

	counted int // revisions in all Counted
}

type branch struct{ repository, refname string }

const (
	// maxArrivals bounds how many commits are described. On a branch with more, the
	// newest replaces the one before it, which is only counted.
	maxArrivals = 5000
	// maxCounted bounds how many revisions of counted commits are kept, by which the
	// commits are recognised when they arrive again.
	maxCounted = 200_000
)

// add adds a commit, which is newer than those of its branch before.
func (a *arrivals) add(c commit.Arrival) {
	c.Message, c.Subject = "", strings.Clone(c.Subject) // Subject is a part of Message
	if a.last == nil {
		a.last = map[branch]int{}
	}
	at := branch{c.Repository, c.Refname}
	i, known := a.last[at]
	switch {
	case len(a.list) < maxArrivals:
		a.last[at] = len(a.list)
		a.list = append(a.list, c)
	case known:
		before := &a.list[i]
		c.More += before.More + 1
		c.Counted = append(before.Counted, c.Counted...)
		if before.Revision != "" && a.counted < maxCounted {
			a.counted++
			c.Counted = append(c.Counted, strings.Clone(before.Revision))
		}
		a.list[i] = c
	}
}

// remove removes the commits of a branch.
func (a *arrivals) remove(refname string) {
	a.list = slices.DeleteFunc(a.list, func(c commit.Arrival) bool { return c.Refname == refname })
}

// lines returns the arrivals as lines of JSON.
func (a *arrivals) lines() []byte {
	var b bytes.Buffer
	for i := range a.list {
		c := &a.list[i]
		if c.Key() == "" && c.ID == "" { // something to recognise it by when it arrives again
			c.ID = spool.DigestName(c.Line())
		}
		b.Write(c.Line())
	}
	return b.Bytes()
}

// ParseArrivals reads the data of an announcement. If a line can't be read, it returns
// the others and an error.
func ParseArrivals(data []byte) (arrivals []commit.Arrival, err error) {
	for line := range bytes.Lines(data) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		c, parseErr := commit.ParseArrival(line)
		if parseErr != nil {
			err = parseErr
			continue
		}
		arrivals = append(arrivals, c)
	}
	return arrivals, err
}
