package filter

import "vext/internal/commit"

// This file goes when source/follow calls Accept.

type Arrivals = arrivals

func (a *arrivals) Add(c commit.Arrival)  { a.add(c) }
func (a *arrivals) Len() int              { return len(a.list) }
func (a *arrivals) All() []commit.Arrival { return a.list }

func (f *Filter) Announces() bool { return f.Spool.Announces() }

func (f *Filter) Announce(a *Arrivals) error {
	in := intake{Filter: f, Push: &Push{}, arrivals: *a}
	if !f.Announces() {
		return nil
	}
	return in.store(in.announcement()...)
}

// Take accepts commits that are not announced.
func (f *Filter) Take(commits ...commit.Commit) (names []string, isNew int, err error) {
	var arrivals []commit.Arrival
	for _, c := range commits {
		arrivals = append(arrivals, commit.Arrival{Commit: c})
	}
	p := NewPush(arrivals...)
	p.Past = true
	accepted, err := f.Accept(p)
	return accepted.Names, accepted.New, err
}
