// Package filter accepts commits from all sources. It decides which ask for a reminder and
// which are announced, and stores both in the spool.
package filter

import (
	"errors"
	"fmt"
	"io"
	"time"

	"vext/internal/commit"
	"vext/internal/forge"
	"vext/spool"
)

// A Verdict is the outcome of a notification's requests for reminders.
type Verdict int

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
	// Of returns those of Trailers that ask in a repository. Nil means all.
	Of     func(repository string) *commit.Trailers
	Source string // to which arriving commits are attributed, see spool.Spool.Seen
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
// it could not be read or stored, and that the sender should send it again. Of the input
// itself, only JSON of more than maxJSON bytes causes an error.
func (f *Filter) Run(r io.Reader) (Result, error) {
	in := newInput(r)
	in.memory = f.MemoryLimit
	accept := f.mail
	if in.isJSON() {
		accept = f.json
	}
	result, err := accept(in)
	if drainErr := in.drain(); err == nil && result.Verdict != Spooled {
		err = drainErr
	}
	return result, err
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

func (f *Filter) mail(in *input) (Result, error) {
	announces, err := f.Spool.Announces()
	if err != nil {
		return Result{}, err
	}
	mail := commit.ReadAsking(in.buffered, f.Trailers, announces)
	if mail.Ignored != "" {
		return f.ignored(in, mail)
	}
	var commits []commit.Arrival
	asking := 0
	for _, c := range mail.Commits {
		c.Source, c.Trailer, c.Sender, c.Asked = "", "", mail.Sender(), commit.Asked{} // whatever vext's fields in the header say
		if c.Message != "" {
			asking++
		}
		commits = append(commits, commit.Arrival{Commit: c})
	}
	push := NewPush(commits...)
	push.many = len(mail.Commits)+mail.Others > 1
	push.announced = func(c *commit.Commit) bool {
		// Anybody can write a plain text, or quote a commit without repository and branch.
		return !(mail.Plain && c.Key() == "") && (c.Repository != "" || c.Refname != "" || mail.NamesCommit())
	}
	if asking == 0 {
		in.capturing = false
	}
	if asking > 0 || announces {
		if err := in.drain(); err != nil {
			return Result{}, err
		}
	}
	if asking == 1 && !push.many {
		push.original = stamped(in, mail)
	}
	result, err := f.accept(push)
	if mail.Dropped > 0 && err == nil {
		last := &mail.Commits[len(mail.Commits)-1]
		f.Spool.Incomplete(spool.IncompletePush{
			Time: f.now(), Repository: last.Repository, Refname: last.Refname, After: last.Revision, Listed: asking, Total: asking + mail.Dropped,
		})
		result.Reason += fmt.Sprintf("; %d more are too many for one mail", mail.Dropped)
	}
	return result, err
}

// kept returns the mail in an input, or as much of it as was kept.
func (in *input) kept(m *commit.Mail) []byte {
	if in.overflow {
		return m.Cut(in.size)
	}
	return in.captured
}

// stamped returns the mail in an input with the right values for vext's own fields.
func stamped(in *input, mail *commit.Mail) []byte {
	data := in.kept(mail)
	if mail.Header.Has(commit.SourceHeader) {
		data = stamp(data, commit.SourceHeader, commit.FromMail)
	}
	if mail.Header.Has(commit.SenderHeader) {
		data = stamp(data, commit.SenderHeader, mail.Sender())
	}
	return data
}

// ignored handles a mail that is not understood as a commit mail. If its HTML asks for a
// reminder, the mail is spooled, and the queue quarantines it.
func (f *Filter) ignored(in *input, m *commit.Mail) (Result, error) {
	switch {
	case m.Bad:
		return Result{Bad, m.Ignored}, nil
	case !m.OnlyHTML:
		return Result{Ignored, m.Ignored}, nil
	}
	if err := in.drain(); err != nil {
		return Result{}, err
	}
	data := in.kept(m)
	name := spool.DigestName(data)
	isNew, err := f.Spool.Put(name, data)
	if err != nil {
		return Result{}, err
	}
	return spooledAs(name, isNew), nil
}
