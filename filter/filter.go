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

// Take spools those of the commits that ask for a reminder, and returns their
// names and how many of them are new to the spool. An error means that some
// may not be there, and that all of them are to be handed over again.
func (f *Filter) Take(commits ...commit.Commit) (names []string, isNew int, err error) {
	if len(commits) > 0 {
		defer f.Spool.Seen(f.Source)
	}
	var messages []spool.Message
	for i := range commits {
		c := &commits[i]
		if _, asks := f.Trailers.Request(c.Message); !asks {
			continue
		}
		if c.ID == "" {
			c.ID = c.MadeID()
		}
		m := f.message(c, c.Mail())
		if !commit.Forgeable(c.Source) && f.isForged(m.Name) {
			m.Name = spool.DigestName([]byte(c.Source + " " + c.ID))
		}
		messages, names = append(messages, m), append(names, m.Name)
	}
	isNew, err = f.Spool.PutAll(messages)
	return names, isNew, err
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
	if f.Announces() {
		return f.announced(in)
	}
	mail := commit.ReadAsking(in.buffered, f.Trailers)
	if mail.Ignored != "" {
		return f.ignored(in, mail)
	}
	defer f.Spool.Seen(f.Source)
	return f.mail(in, mail, mail.Commits, mail.Others)
}

// announced decides about a mail of which every commit is to be announced. The
// reminder goes first.
func (f *Filter) announced(in *input) (Result, error) {
	mail := commit.ReadAll(in.buffered, f.Trailers)
	if mail.Ignored != "" {
		return f.ignored(in, mail)
	}
	defer f.Spool.Seen(f.Source)
	arrivals := ofMail(mail)
	var asking []commit.Commit
	for _, c := range mail.Commits {
		if c.Message != "" {
			asking = append(asking, c)
		}
	}
	result, err := f.mail(in, mail, asking, len(mail.Commits)-len(asking)+mail.Others)
	if err == nil {
		err = in.drain()
	}
	if err == nil {
		err = f.Announce(arrivals)
	}
	return result, err
}

// mail takes the commits of a mail that ask, beside others that do not.
func (f *Filter) mail(in *input, mail *commit.Mail, asking []commit.Commit, others int) (Result, error) {
	switch {
	case len(asking) == 0:
		in.capturing = false
		return Result{Ignored, "no trailer that asks for a reminder"}, nil
	case len(asking)+others > 1:
		return f.push(in, mail, asking)
	}
	if err := in.drain(); err != nil {
		return Result{}, err
	}
	data := in.captured
	if in.overflow {
		data = mail.Cut(in.size)
	}
	// Fields that only vext itself may set.
	if mail.Header.Has(commit.SourceHeader) {
		data = stamp(data, commit.SourceHeader, commit.FromMail)
	}
	if mail.Header.Has(commit.SenderHeader) {
		data = stamp(data, commit.SenderHeader, mail.Sender())
	}
	return f.put(&asking[0], data)
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
	data := in.captured
	if in.overflow {
		data = m.Cut(in.size)
	}
	name := spool.DigestName(data)
	isNew, err := f.Spool.Put(name, data)
	if err != nil {
		return Result{}, err
	}
	return spooledAs(name, isNew), nil
}

// push spools every commit of a push that asks for a reminder as a mail of its
// own: a message is one commit.
func (f *Filter) push(in *input, mail *commit.Mail, asking []commit.Commit) (Result, error) {
	if err := in.drain(); err != nil {
		return Result{}, err
	}
	for i := range asking {
		c := &asking[i]
		c.Source, c.Trailer, c.Sender = "", "", mail.Sender() // fields of the mail itself do not count
		c.ID = c.MadeID()
	}
	result, err := f.take(asking...)
	if mail.Dropped > 0 && err == nil {
		last := &asking[len(asking)-1]
		f.Spool.Incomplete(spool.IncompletePush{
			Repository: last.Repository, Refname: last.Refname, After: last.Revision, Listed: len(asking), Total: len(asking) + mail.Dropped,
		})
		result.Reason += fmt.Sprintf("; %d more are too many for one mail", mail.Dropped)
	}
	return result, err
}

// take is Take in the words of a verdict.
func (f *Filter) take(commits ...commit.Commit) (Result, error) {
	names, isNew, err := f.Take(commits...)
	switch {
	case err != nil:
		return Result{}, err
	case len(names) == 0:
		return Result{Ignored, "no trailer that asks for a reminder"}, nil
	case len(names) == 1:
		return spooledAs(names[0], isNew == 1), nil
	}
	return Result{Spooled, fmt.Sprintf("%d commits of one push", len(names))}, nil
}

// put spools a message as it came.
func (f *Filter) put(c *commit.Commit, data []byte) (Result, error) {
	m := f.message(c, data)
	isNew, err := f.Spool.Put(m.Name, m.Data)
	if err != nil {
		return Result{}, err
	}
	return spooledAs(m.Name, isNew), nil
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
