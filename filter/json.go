package filter

import (
	"errors"
	"fmt"

	"vext/internal/commit"
	"vext/internal/forge"
	"vext/spool"
)

// json accepts JSON: the object of a hook, or the payload of a forge.
func (f *Filter) json(in *input) (Result, error) {
	if err := in.drain(); err != nil {
		return Result{}, err
	}
	if in.overflow {
		return Result{}, fmt.Errorf("a JSON object of %d bytes; at most %d can be read", in.size, in.limit)
	}
	data := in.captured
	in.captured = nil // to free its memory
	p, err := forge.Read("", "", data)
	switch {
	case errors.Is(err, forge.ErrOther):
		return Result{Ignored, err.Error()}, nil
	case err != nil:
		return Result{Bad, err.Error()}, nil
	}
	result, err := f.accept(ForgePush(p, p.Repository, commit.FromJSON))
	for i := range p.Updates {
		if u := &p.Updates[i]; err == nil && u.Incomplete {
			f.Incomplete("", p.Repository, u)
			result.Reason += "; not all commits of the push to " + commit.BranchName(u.Refname) + " are described"
		}
	}
	return result, err
}

// Incomplete notes for the operator that an update does not describe all its commits, and
// that they can't be looked up. hook is "" for standard input.
func (f *Filter) Incomplete(hook, repository string, u *forge.Update) {
	f.Spool.Incomplete(spool.IncompletePush{
		Time: f.now(), Hook: hook, Repository: repository, Refname: u.Refname,
		Before: u.Before, After: u.After, Listed: u.Listed, Total: u.Total,
	})
}
