package vcs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"vext/internal/commit"
)

// recordFormat makes git log print the fields of a record, each followed by NUL, which
// no field contains; -z adds the last one.
const recordFormat = "%H%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"

// The fields of a record.
const (
	fieldHash = iota
	fieldParents
	fieldAuthor
	fieldAuthorEmail
	fieldAuthorDate
	fieldCommitter
	fieldCommitterEmail
	fieldDate
	fieldMessage
	fields
)

// maxField bounds the part of a field that is kept, in bytes, because a commit message
// can have gigabytes.
const maxField = 4 << 20

// A record is one commit as git log prints it, valid until the next is read.
type record struct {
	data []byte
	ends [fields]int
}

func (r *record) field(n int) []byte {
	start := 0
	if n > 0 {
		start = r.ends[n-1]
	}
	return r.data[start:r.ends[n]]
}

func (r *record) message() []byte { return r.field(fieldMessage) }
func (r *record) date() time.Time { return commit.ParseDate(string(r.field(fieldDate))) }

// commit returns the record as a commit on a branch.
func (r *record) commit(refname string) *commit.Commit {
	c := &commit.Commit{
		Refname:    refname,
		Revision:   string(r.field(fieldHash)),
		Author:     r.person(fieldAuthor),
		Committer:  r.person(fieldCommitter),
		AuthorDate: commit.ParseDate(string(r.field(fieldAuthorDate))),
		Date:       r.date(),
	}
	c.Message = strings.ToValidUTF8(string(r.message()), "�")
	c.Clean()
	return c
}

// person returns the name in field n and the address in field n+1.
func (r *record) person(n int) commit.Person {
	valid := func(b []byte) string { return strings.ToValidUTF8(string(b), "�") }
	return commit.Person{Name: valid(r.field(n)), Email: valid(r.field(n + 1))}
}

// readRecords calls fn with every record.
func readRecords(from io.Reader, fn func(*record) error) error {
	r := bufio.NewReaderSize(from, 128<<10)
	var rec record
	for {
		rec.data = rec.data[:0]
		for n := range fields {
			err := rec.read(r)
			if err == io.EOF && n == 0 && len(rec.data) == 0 {
				return nil
			}
			if err == io.EOF {
				return errCut
			}
			if err != nil {
				return err
			}
			rec.ends[n] = len(rec.data)
		}
		if !commit.IsHash(string(rec.field(fieldHash))) {
			return fmt.Errorf("git log: not a hash: %.60q", rec.field(fieldHash))
		}
		if err := fn(&rec); err != nil {
			return err
		}
	}
}

// read appends a field, which ends before NUL.
func (r *record) read(from *bufio.Reader) error {
	kept := 0
	for {
		part, err := from.ReadSlice(0)
		part = bytes.TrimSuffix(part, []byte{0})
		if kept < maxField {
			r.data = append(r.data, part...)
			kept += len(part)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}
