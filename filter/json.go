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
	return f.accept(NewPush(commit.Arrival{Commit: c}))
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
	result, err := f.accept(ForgePush(p, p.Repository, commit.FromJSON))
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
