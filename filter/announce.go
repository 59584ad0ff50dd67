package filter

import (
	"bytes"
	"slices"
	"strings"

	"vext/internal/commit"
	"vext/spool"
)

// Arrivals gathers the commits of one hand-over that are to be announced, and
// keeps no more of each than that takes. The zero Arrivals is empty and ready
// for use.
type Arrivals struct {
	list []commit.Arrival
	last map[branch]int // where the newest of each branch stands in the list

	counted int // revisions of those that are not described
}

type branch struct{ repository, refname string }

// maxArrivals bounds how many are described. Of a branch that goes on behind
// that, the newest is; those before it are counted, and of maxCounted of these
// the revisions are kept, by which they are known when they come again.
const (
	maxArrivals = 5000
	maxCounted  = 200_000
)

// Add adds a commit, behind those of its branch that are older.
func (a *Arrivals) Add(c commit.Arrival) {
	c.Message, c.Subject = "", strings.Clone(c.Subject) // it lies in the message
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

// Len returns how many are described.
func (a *Arrivals) Len() int { return len(a.list) }

// All returns those that are described.
func (a *Arrivals) All() []commit.Arrival { return a.list }

// remove removes the commits of a branch.
func (a *Arrivals) remove(refname string) {
	a.list = slices.DeleteFunc(a.list, func(c commit.Arrival) bool { return c.Refname == refname })
}

// lines returns what is written of them: a line of JSON each.
func (a *Arrivals) lines() []byte {
	var b bytes.Buffer
	for i := range a.list {
		c := &a.list[i]
		if c.Key() == "" && c.ID == "" { // by which it is known when it comes again
			c.ID = spool.DigestName(c.Line())
		}
		b.Write(c.Line())
	}
	return b.Bytes()
}

// Announces reports whether somebody announces commits as they arrive.
func (f *Filter) Announces() bool { return f.Spool.Announces() }

// Announce hands commits over to be announced, whether they ask for a reminder
// or not. It does nothing where nobody announces them. An error means that they
// are to be handed over again: that they are announced once is not its care.
func (f *Filter) Announce(a *Arrivals) error {
	if a.Len() == 0 || !f.Announces() {
		return nil
	}
	return f.Spool.PutAnnouncement(a.lines())
}

// ParseArrivals reads what Announce has written. Of a file in which a line can't
// be read it returns the others, and an error.
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
