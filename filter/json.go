package filter

import (
	"errors"
	"fmt"

	"vext/internal/commit"
	"vext/internal/forge"
	"vext/spool"
)

// json takes the JSON of a hook, which is one commit, or that of a forge, which
// is a push, and writes each commit as the mail that everything behind the
// filter reads.
func (f *Filter) json(in *input) (Result, error) {
	if err := in.drain(); err != nil {
		return Result{}, err
	}
	if in.overflow {
		return Result{}, fmt.Errorf("a JSON object of %d bytes; at most %d can be read", in.size, in.limit)
	}
	data := in.captured
	in.captured = nil // its memory is needed
	if kind, ok := forge.Recognise(data); ok {
		return f.forge(kind, data)
	}
	c, err := commit.ParseJSON(data)
	if err != nil {
		return Result{Bad, err.Error()}, nil
	}
	c.Source = commit.FromJSON
	var arrivals Arrivals
	arrivals.Add(commit.Arrival{Commit: c})
	result, err := f.take(c)
	if err == nil {
		err = f.Announce(&arrivals)
	}
	return result, err
}

// forge takes the payload of a forge's push.
func (f *Filter) forge(kind forge.Kind, data []byte) (Result, error) {
	p, err := forge.Parse(kind, "", data)
	switch {
	case errors.Is(err, forge.ErrOther):
		return Result{Ignored, fmt.Sprintf("an event of %s: %v", kind, err)}, nil
	case err != nil:
		return Result{Bad, fmt.Sprintf("an event of %s: %v", kind, err)}, nil
	}
	defer f.Spool.Seen(f.Source)
	var commits []commit.Commit
	var arrivals Arrivals
	for i := range p.Updates {
		u := &p.Updates[i]
		for _, c := range u.Commits {
			c.Source = commit.FromJSON
			commits = append(commits, c)
		}
		arrivals.AddUpdate(u, commits[len(commits)-len(u.Commits):])
	}
	result, err := f.take(commits...)
	if err == nil {
		err = f.Announce(&arrivals)
	}
	if err != nil {
		return Result{}, err
	}
	for _, u := range p.Updates {
		if !u.Incomplete {
			continue
		}
		f.Spool.Incomplete(spool.IncompletePush{
			Repository: p.Repository, Refname: u.Refname, Before: u.Before, After: u.After, Listed: u.Listed, Total: u.Total,
		})
		result.Reason += "; not all commits of the push to " + commit.BranchName(u.Refname) + " are described"
	}
	return result, nil
}

// AddUpdate adds commits of the update of a branch, the oldest first. Those that
// its forge counts and does not describe are counted with the newest.
func (a *Arrivals) AddUpdate(u *forge.Update, commits []commit.Commit) {
	for i, c := range commits {
		arrival := commit.Arrival{Commit: c, Page: u.Page}
		if i == len(commits)-1 {
			arrival.More = max(0, u.Total-u.Listed)
		}
		a.Add(arrival)
	}
}
