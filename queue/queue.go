// Package queue schedules reminders. It moves a spooled message into the directory of
// the day on which its reminder is due, lists the messages, and moves those that were
// sent, snoozed, cancelled or quarantined.
//
// A process holds the Lock while it changes a queue. Every step is a rename: after a
// crash, a message is in its old place or in its new one.
package queue

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/disk"
	"vext/internal/history"
	"vext/internal/text"
	"vext/policy"
	"vext/spool"
)

// A Queue is a state directory, with what decisions about its messages depend on.
type Queue struct {
	State   string
	Spool   spool.Spool
	History history.History
	Policy  policy.Policy
	Zone    *time.Location // of the days
	Now     time.Time

	index  *history.Index // see kept
	parsed atomic.Int64
}

// New returns the queue of a state directory as it is at the time now.
func New(state string, p policy.Policy, zone *time.Location, now time.Time) *Queue {
	q := &Queue{
		State: state, Spool: spool.New(state), History: history.New(state),
		Policy: p, Zone: zone, Now: now,
	}
	q.History.Repository = q.Policy.Repository
	return q
}

// Today returns the current day in the queue's zone.
func (q *Queue) Today() calendar.Day { return calendar.Of(q.Now, q.Zone) }

func (q *Queue) dir() string    { return filepath.Join(q.State, "queue") }
func (q *Queue) failed() string { return filepath.Join(q.State, "failed") }
func (q *Queue) done() string   { return filepath.Join(q.History.Dir(), "done") }

func (q *Queue) dayDir(day calendar.Day) string { return filepath.Join(q.dir(), day.String()) }

// An Entry is a message in the queue.
type Entry struct {
	Name string
	Day  calendar.Day // zero outside of the queue
	dir  string       // one string for all entries of a day: a queue can be long
}

func (e *Entry) path() string { return filepath.Join(e.dir, e.Name) }

func (q *Queue) entry(day calendar.Day, name string) Entry {
	return Entry{Name: name, Day: day, dir: q.dayDir(day)}
}

// prepare makes the directories that a change of the queue writes to.
func (q *Queue) prepare() error {
	for _, dir := range []string{q.dir(), q.failed(), q.History.Dir(), q.done()} {
		if err := disk.MakeDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// readDir returns the entries of a directory, none when it does not exist.
func readDir(path string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}

// A Message is a message read from a file: its commit, the request in its trailer, and
// when it was received.
type Message struct {
	commit.Commit
	Request  commit.Request
	Received time.Time
}

// errNotUnderstood is the reason for which a message is quarantined. It is not an
// error of the machine.
type errNotUnderstood struct{ reason string }

func (e errNotUnderstood) Error() string { return e.reason }

// IsNotUnderstood reports whether err is the fault of a message and not of the
// machine.
func IsNotUnderstood(err error) bool { return errors.As(err, new(errNotUnderstood)) }

// Open opens the message of an entry. An error that IsNotUnderstood says that it is not
// a file that vext may read.
func (q *Queue) Open(e Entry) (*os.File, error) {
	f, err := disk.OpenUnlinked(e.path())
	switch {
	case errors.Is(err, disk.ErrNotRegular):
		err = errNotUnderstood{"not a regular file"}
	case errors.Is(err, fs.ErrPermission):
		err = errNotUnderstood{"it can't be read: permission denied"}
	}
	return f, err
}

// Read reads the message of an entry. For one without a commit or a request, or that
// vext may not read, the error IsNotUnderstood.
func (q *Queue) Read(e Entry) (*Message, error) {
	f, err := q.Open(e)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	q.parsed.Add(1)
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	mail, err := readMail(f)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: e.path(), Err: err}
	}
	switch {
	case mail.Bad || mail.Ignored != "":
		return nil, errNotUnderstood{mail.Ignored}
	case len(mail.Commits) > 1:
		return nil, errNotUnderstood{"more than one commit in one message\nto split it: run vext-filter -state STATE with the file in failed/ on its standard input, then vext cancel ID"}
	}
	m := &Message{Commit: mail.Commits[0], Received: info.ModTime()}
	m.Repository = q.Policy.Repository(m.Repository)
	q.Policy.Complete(&m.Commit)
	var asks bool
	if m.Request, asks, err = q.Policy.Request(&m.Commit); err != nil {
		return nil, errNotUnderstood{err.Error()}
	}
	if !asks {
		return nil, errNotUnderstood{"no trailer that asks for a reminder; if it has one of your own, add it to the configuration: trailers = [...] under [reminders], or convention = \"...\" under [[repository]]"}
	}
	return m, nil
}

// Parsed returns how many messages the queue has read.
func (q *Queue) Parsed() int64 { return q.parsed.Load() }

// Describe returns an event with the fields that every event of a message has.
func (q *Queue) Describe(name string, m *Message) history.Event {
	to := q.Policy.Recipient(&m.Commit)
	return history.Event{
		Name: name, Address: to.Email, Committer: to.Name,
		Repository: m.Repository, Branch: m.Branch(), Revision: m.Revision, Key: m.Key(),
		Subject: strings.Clone(text.Shorten(m.Subject, 200)), // else it keeps the whole message in memory
		Asked:   text.Shorten(m.Request.Line(), 100),
		Source:  cmp.Or(m.Source, commit.FromMail),
	}
}
