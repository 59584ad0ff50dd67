// Package filter accepts commits from all sources. It decides which ask for a reminder and
// which are announced, and stores both in the spool.
package filter

import (
	"fmt"
	"io"
	"time"

	"vext/internal/commit"
	"vext/spool"
)

// A Verdict is the outcome of a notification's requests for reminders.
type Verdict int

// The verdicts.
const (
	Ignored Verdict = iota // there is no request
	Bad                    // neither a mail nor JSON of a known form
	Spooled                // there are requests, and they are in the spool
)

func (v Verdict) String() string { return [...]string{"ignored", "bad input", "spooled"}[v] }

// A Result is a verdict and its explanation.
type Result struct {
	Verdict Verdict
	Reason  string
}

// A Filter puts messages into Spool. It is safe for concurrent use.
type Filter struct {
	Spool spool.Spool
	// Trailers ask for a reminder. Usual are those that the queue knows without the
	// header field commit.TrailerHeader.
	Trailers, Usual *commit.Trailers
	Source          string // to which arriving commits are attributed, see spool.Spool.Seen
	// Announced restricts announcements to some branches of repositories. Nil means no
	// restriction.
	Announced func(repository, refname string) bool
	// MemoryLimit, unless 0, becomes the runtime's memory limit when an input is large.
	// It is for a process that ends after one input; in a server it would cause constant
	// garbage collection.
	MemoryLimit int64

	now func() time.Time
}

// New returns a filter for the usual trailers and those named in extra.
func New(s spool.Spool, now func() time.Time, extra ...string) (*Filter, error) {
	usual, err := commit.NewTrailers()
	all := usual
	if len(extra) > 0 {
		all, err = commit.NewTrailers(extra...)
	}
	return &Filter{Spool: s, Trailers: all, Usual: usual, now: now}, err
}

// Run reads a notification, a mail or JSON, to its end and accepts it. An error means that
// it could not be read or stored, and that the sender should send it again. No content of
// a notification causes an error.
func (f *Filter) Run(r io.Reader) (Result, error) {
	in := newInput(r)
	in.memory = f.MemoryLimit
	result, err := f.decide(in)
	if drainErr := in.drain(); err == nil && result.Verdict != Spooled {
		err = drainErr
	}
	return result, err
}

func (f *Filter) decide(in *input) (Result, error) {
	if in.isJSON() {
		return f.json(in)
	}
	return f.mail(in)
}

// accept is Accept with a verdict as the result.
func (f *Filter) accept(p Push) (Result, error) {
	accepted, err := f.Accept(p)
	switch names := accepted.Names; {
	case err != nil:
		return Result{}, err
	case len(names) == 0:
		return Result{Ignored, "no trailer that asks for a reminder"}, nil
	case len(names) == 1:
		return spooledAs(names[0], accepted.New == 1), nil
	default:
		return Result{Spooled, fmt.Sprintf("%d commits of one push", len(names))}, nil
	}
}

func spooledAs(name string, isNew bool) Result {
	if !isNew {
		name += " is there already"
	}
	return Result{Spooled, name}
}
