package filter

import (
	"bytes"

	"vext/internal/commit"
	"vext/internal/disk"
	"vext/spool"
)

// request returns the message of a commit that asks for a reminder. A commit that can't be
// forged gets another name when a forgeable one has taken its name.
func (in *intake) request(c *commit.Commit) spool.Message {
	if in.original != nil {
		return in.message(c, in.original)
	}
	if c.ID == "" || in.many || !commit.Forgeable(c.Source) {
		c.ID = c.MadeID()
	}
	m := in.message(c, c.Mail())
	if !commit.Forgeable(c.Source) && in.isForged(m.Name) {
		m.Name = spool.DigestName([]byte(c.Source + " " + c.ID))
	}
	return m
}

// isForged reports whether the message of that name in the spool is forgeable.
func (f *Filter) isForged(name string) bool {
	file, err := disk.Open(f.Spool.Path(name))
	if err != nil {
		return false
	}
	defer file.Close()
	mail := commit.ReadMail(file)
	return len(mail.Commits) == 0 || commit.Forgeable(mail.Commits[0].Source)
}

// message returns the message with a name made from its Message-ID or, if it has none, from
// its bytes.
func (f *Filter) message(c *commit.Commit, data []byte) spool.Message {
	name := spool.Name(c.ID)
	switch {
	case c.ID == "" && c.Key() != "":
		name = spool.Name(c.MadeID())
	case c.ID == "":
		name = spool.DigestName(data)
	case c.Source == "" && commit.LooksMade(c.ID), c.Source == commit.FromJSON && commit.LooksMade(c.ID) && c.ID != c.MadeID():
		name = spool.DigestName([]byte(c.ID)) // not the name of a commit that may still arrive
	}
	request, _ := f.Trailers.Request(c.Message)
	if usual, ok := f.Usual.Request(c.Message); !ok || usual != request {
		data = stamp(data, commit.TrailerHeader, request.Key)
	}
	return spool.Message{Name: name, Data: data}
}

// stamp adds a field before the header of a message, but behind an mbox line.
func stamp(data []byte, name, value string) []byte {
	head := 0
	if bytes.HasPrefix(data, []byte("From ")) {
		head = bytes.IndexByte(data, '\n') + 1
	}
	field := name + ": " + value + "\n"
	return append(append(append([]byte(nil), data[:head]...), field...), data[head:]...)
}
