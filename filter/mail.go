package filter

import (
	"fmt"

	"vext/internal/commit"
	"vext/spool"
)

// mail accepts a mail.
func (f *Filter) mail(in *input) (Result, error) {
	read := commit.ReadAsking
	announces, err := f.Spool.Announces()
	if announces {
		read = commit.ReadAll
	}
	if err != nil {
		return Result{}, err
	}
	mail := read(in.buffered, f.Trailers)
	if mail.Ignored != "" {
		return f.ignored(in, mail)
	}
	var commits []commit.Arrival
	asking := 0
	for _, c := range mail.Commits {
		c.Source, c.Trailer, c.Sender = "", "", mail.Sender() // whatever vext's fields in the header say
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

// original returns the mail in an input, or as much as was kept of it.
func original(in *input, m *commit.Mail) []byte {
	if in.overflow {
		return m.Cut(in.size)
	}
	return in.captured
}

// stamped returns the mail in an input with the right values for vext's own fields.
func stamped(in *input, mail *commit.Mail) []byte {
	data := original(in, mail)
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
	data := original(in, m)
	name := spool.DigestName(data)
	isNew, err := f.Spool.Put(name, data)
	if err != nil {
		return Result{}, err
	}
	return spooledAs(name, isNew), nil
}
