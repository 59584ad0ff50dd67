// Package filter decides about one notification: is it a commit, does it ask
// for a reminder, under which name is it spooled.
package filter

import (
	"bytes"
	"fmt"
	"io"

	"vext/internal/commit"
	"vext/internal/disk"
	"vext/spool"
)

// A Verdict says what became of a notification.
type Verdict int

// What can become of a notification. Only Ignored and Bad leave no trace.
const (
	Ignored Verdict = iota // none of our business
	Bad                    // neither a mail nor a JSON object of a commit
	Spooled                // in the spool, or there already
)

func (v Verdict) String() string { return [...]string{"ignored", "bad input", "spooled"}[v] }

// A Result is a verdict and what is to be said about it.
type Result struct {
	Verdict Verdict
	Reason  string
}

// A Filter puts the messages that ask for a reminder into Spool. It is safe
// for use by many goroutines.
type Filter struct {
	Spool spool.Spool
	// Trailers are those asked for; Usual those that the processor knows
	// without being told.
	Trailers, Usual *commit.Trailers
	// Source is the way in that a commit is noted for, see spool.Seen.
	Source string
	// Announced reports whether commits on a branch of a repository are announced,
	// while anybody announces commits. Nil means that all are.
	Announced func(repository, refname string) bool
	// MemoryLimit, unless 0, is set in the runtime when an input is large, which
	// then collects garbage early. It is for a process that takes one input and
	// ends: one that serves many would be kept busy by it.
	MemoryLimit int64
}

// New returns a filter that knows the usual trailers and those named in extra.
func New(s spool.Spool, extra ...string) (*Filter, error) {
	usual, err := commit.NewTrailers()
	all := usual
	if len(extra) > 0 {
		all, err = commit.NewTrailers(extra...)
	}
	return &Filter{Spool: s, Trailers: all, Usual: usual}, err
}

// isForged reports whether the message of a name in the spool came by a way by
// which anybody can have written it: it must not stand for one that did not.
func (f *Filter) isForged(name string) bool {
	file, err := disk.Open(f.Spool.Path(name))
	if err != nil {
		return false
	}
	defer file.Close()
	mail := commit.ReadMail(file)
	return len(mail.Commits) == 0 || commit.Forgeable(mail.Commits[0].Source)
}

// Run reads a notification to its end and decides. An error means that it
// could not be read or stored, and that the sender should try again; nothing
// that the sender can write is an error.
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

// mail takes in the commits of a mail.
func (f *Filter) mail(in *input) (Result, error) {
	read := commit.ReadAsking
	if f.Announces() {
		read = commit.ReadAll
	}
	mail := read(in.buffered, f.Trailers)
	if mail.Ignored != "" {
		return f.ignored(in, mail)
	}
	var commits []commit.Arrival
	asking := 0
	for _, c := range mail.Commits {
		c.Source, c.Trailer, c.Sender = "", "", mail.Sender() // fields of the mail itself do not count
		if c.Message != "" {
			asking++
		}
		commits = append(commits, commit.Arrival{Commit: c})
	}
	push := NewPush(commits...)
	push.many = len(mail.Commits)+mail.Others > 1
	push.announced = func(c *commit.Commit) bool {
		// A mail that says nothing of a commit but by being there, and one that only
		// quotes a commit of no repository and no branch, may be anybody's.
		return !(mail.Plain && c.Key() == "") && (c.Repository != "" || c.Refname != "" || mail.NamesCommit())
	}
	if asking == 0 {
		in.capturing = false
	}
	if asking > 0 || f.Announces() {
		if err := in.drain(); err != nil {
			return Result{}, err
		}
	}
	if asking == 1 && !push.many {
		push.original = f.stamped(in, mail)
	}
	result, err := f.accept(push)
	if mail.Dropped > 0 && err == nil {
		last := &mail.Commits[len(mail.Commits)-1]
		f.Spool.Incomplete(spool.IncompletePush{
			Repository: last.Repository, Refname: last.Refname, After: last.Revision, Listed: asking, Total: asking + mail.Dropped,
		})
		result.Reason += fmt.Sprintf("; %d more are too many for one mail", mail.Dropped)
	}
	return result, err
}

// original returns a mail as it came, or what could be kept of it.
func original(in *input, m *commit.Mail) []byte {
	if in.overflow {
		return m.Cut(in.size)
	}
	return in.captured
}

// stamped returns a mail whose fields that only vext itself may set are right.
func (f *Filter) stamped(in *input, mail *commit.Mail) []byte {
	data := original(in, mail)
	if mail.Header.Has(commit.SourceHeader) {
		data = stamp(data, commit.SourceHeader, commit.FromMail)
	}
	if mail.Header.Has(commit.SenderHeader) {
		data = stamp(data, commit.SenderHeader, mail.Sender())
	}
	return data
}

// ignored handles a mail that is not a commit mail. If it asks for a reminder all the
// same it is spooled, and the processor quarantines it.
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
	data := original(in, m)
	name := spool.DigestName(data)
	isNew, err := f.Spool.Put(name, data)
	if err != nil {
		return Result{}, err
	}
	return spooledAs(name, isNew), nil
}

// accept is Accept in the words of a verdict.
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

// message gives a message the name that its Message-ID gives it, or that its
// own bytes give it when it has none.
func (f *Filter) message(c *commit.Commit, data []byte) spool.Message {
	name := spool.Name(c.ID)
	switch {
	case c.ID == "" && c.Key() != "":
		name = spool.Name(c.MadeID())
	case c.ID == "":
		name = spool.DigestName(data)
	case c.Source == "" && commit.LooksMade(c.ID), c.Source == commit.FromJSON && commit.LooksMade(c.ID) && c.ID != c.MadeID(): // a stranger's, in the way of a commit to come
		name = spool.DigestName([]byte(c.ID))
	}
	request, _ := f.Trailers.Request(c.Message)
	if usual, ok := f.Usual.Request(c.Message); !ok || usual != request {
		data = stamp(data, commit.TrailerHeader, request.Key)
	}
	return spool.Message{Name: name, Data: data}
}

// stamp puts a field in front of a message, as a mail server puts its trace
// there. It goes behind an mbox line.
func stamp(data []byte, name, value string) []byte {
	head := 0
	if bytes.HasPrefix(data, []byte("From ")) {
		head = bytes.IndexByte(data, '\n') + 1
	}
	field := name + ": " + value + "\n"
	return append(append(append([]byte(nil), data[:head]...), field...), data[head:]...)
}
