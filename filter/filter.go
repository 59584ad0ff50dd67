// Package filter decides about one notification: is it a commit, does it ask
// for a reminder, under which name is it spooled.
package filter

import (
	"bytes"
	"fmt"
	"io"

	"vext/internal/commit"
	"vext/spool"
)

// A Verdict says what became of a notification.
type Verdict int

// What can become of a notification. Only LetGo and Bad leave no trace.
const (
	LetGo   Verdict = iota // none of our business
	Bad                    // neither a mail nor a JSON object of a commit
	Spooled                // in the spool, or there already
)

func (v Verdict) String() string { return [...]string{"let go", "bad input", "spooled"}[v] }

// A Result is a verdict and what is to be said about it.
type Result struct {
	Verdict Verdict
	Reason  string
}

// A Filter puts the messages that ask for a reminder into Spool.
type Filter struct {
	Spool spool.Spool
	// Trailers are those asked for; Usual those that the processor knows
	// without being told.
	Trailers, Usual *commit.Trailers
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

// Run reads a notification to its end and decides. An error means that it
// could not be read or stored, and that the sender should try again; nothing
// that the sender can write is an error.
func (f *Filter) Run(r io.Reader) (Result, error) {
	in := newInput(r)
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
	mail := commit.ReadAsking(in.buffered, f.Trailers)
	if mail.LetGo != "" {
		return letGo(mail), nil
	}
	defer f.Spool.Seen()
	switch {
	case len(mail.Commits) == 0:
		in.capturing = false
		return Result{LetGo, "no trailer that asks for a reminder"}, nil
	case len(mail.Commits)+mail.Others > 1:
		return f.push(in, mail.Commits)
	}
	if err := in.drain(); err != nil {
		return Result{}, err
	}
	data := in.captured
	if in.overflow {
		data = mail.Cut(in.size)
	}
	return f.put(&mail.Commits[0], data)
}

func letGo(m *commit.Mail) Result {
	if m.Bad {
		return Result{Bad, m.LetGo}
	}
	return Result{LetGo, m.LetGo}
}

// json takes the JSON object of a hook, and writes it as the mail that
// everything behind the filter reads.
func (f *Filter) json(in *input) (Result, error) {
	if err := in.drain(); err != nil {
		return Result{}, err
	}
	if in.overflow {
		return Result{}, fmt.Errorf("a JSON object of %d bytes; at most %d can be read", in.size, in.limit)
	}
	c, err := commit.ParseJSON(in.captured)
	in.captured = nil // its memory is needed
	if err != nil {
		return Result{Bad, err.Error()}, nil
	}
	defer f.Spool.Seen()
	if _, ok := f.Trailers.Request(c.Message); !ok {
		return Result{LetGo, "no trailer that asks for a reminder"}, nil
	}
	return f.put(&c, c.Mail())
}

// push spools every commit of a push that asks for a reminder as a mail of its
// own: a message is one commit.
func (f *Filter) push(in *input, asking []commit.Commit) (Result, error) {
	if err := in.drain(); err != nil {
		return Result{}, err
	}
	var result Result
	for i := range asking {
		c := &asking[i]
		c.ID = c.MadeID()
		var err error
		if result, err = f.put(c, c.Mail()); err != nil {
			return Result{}, err
		}
	}
	if len(asking) > 1 {
		result.Reason = fmt.Sprintf("%d commits of one push", len(asking))
	}
	return result, nil
}

// put spools a message under the name that its Message-ID gives it, or that
// its own bytes give it when it has none.
func (f *Filter) put(c *commit.Commit, data []byte) (Result, error) {
	name := spool.Name(c.ID)
	if c.ID == "" && c.Key() != "" {
		name = spool.Name(c.MadeID())
	} else if c.ID == "" {
		name = spool.DigestName(data)
	}
	request, _ := f.Trailers.Request(c.Message)
	if usual, ok := f.Usual.Request(c.Message); !ok || usual != request {
		data = stamp(data, request.Key)
	}
	isNew, err := f.Spool.Put(name, data)
	switch {
	case err != nil:
		return Result{}, err
	case !isNew:
		return Result{Spooled, name + " is there already"}, nil
	}
	return Result{Spooled, name}, nil
}

// stamp puts the name of an unusual trailer in front of a message, as a mail
// server puts its trace there, so that the processor looks for it as well. It
// goes behind an mbox line.
func stamp(data []byte, trailer string) []byte {
	head := 0
	if bytes.HasPrefix(data, []byte("From ")) {
		head = bytes.IndexByte(data, '\n') + 1
	}
	field := commit.TrailerHeader + ": " + trailer + "\n"
	return append(append(append([]byte(nil), data[:head]...), field...), data[head:]...)
}
