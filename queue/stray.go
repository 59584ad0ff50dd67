package queue

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"vext/internal/calendar"
	"vext/internal/history"
	"vext/spool"
)

// A StrayFile is a file in the queue that is no message.
type StrayFile struct {
	Name, Reason string
	path         string
}

// String returns the path, for people to read.
func (f *StrayFile) String() string { return f.path }

// StrayFiles returns the files in the queue that are no messages, and those in the
// history that have the name of a year's file or of a day, but are something else.
func (q *Queue) StrayFiles() ([]StrayFile, error) {
	var found []StrayFile
	add := func(dir, name, reason string) {
		if path := filepath.Join(dir, name); reason != "" && isMovable(path) {
			found = append(found, StrayFile{name, reason, path})
		}
	}
	days, others, err := q.days()
	for _, f := range others {
		add(q.dir(), f.Name(), "not a directory of a day (YYYYMMDD), and nothing else belongs in queue/")
	}
	for _, day := range days {
		files, dirErr := readDir(q.dayDir(day))
		err = errors.Join(err, dirErr)
		for _, f := range files {
			add(q.dayDir(day), f.Name(), strayReason(f))
		}
	}
	strays, strayErr := q.History.Strays()
	for _, path := range strays {
		add(filepath.Dir(path), filepath.Base(path), "not a regular file, where a year of the history should be")
	}
	done, doneErr := readDir(q.done())
	for _, f := range done {
		if _, parseErr := calendar.Parse(f.Name()); parseErr == nil && !f.IsDir() {
			add(q.done(), f.Name(), "not a directory, where that of a day should be")
		}
	}
	return found, errors.Join(err, strayErr, doneErr)
}

// isMovable reports whether a file can be moved to another directory. The directory of
// another user can't; it stays where it is, and is reported once.
func isMovable(path string) bool {
	info, err := os.Lstat(path)
	return err != nil || !info.IsDir() || unix.Access(path, unix.W_OK) == nil
}

// QuarantineStrays quarantines stray files, and returns those that it moved. One in
// the place of a year's file is moved before the move is recorded, because the record
// may belong in that file.
func (q *Queue) QuarantineStrays(found []StrayFile) (moved []StrayFile, err error) {
	if len(found) == 0 {
		return nil, nil
	}
	if err := q.prepare(); err != nil {
		return nil, err
	}
	if err := canWrite(q.dir(), q.failed()); err != nil {
		return nil, err
	}
	for _, f := range found {
		event := history.Event{Time: history.Stamp(q.Now), Kind: history.Failed, Name: f.Name, Reason: f.Reason}
		record := func() error { return q.History.Append(event) }
		move := func() error { return q.Spool.Quarantine(f.path, f.Name, f.Reason) }
		first, second := record, move
		if filepath.Dir(f.path) == q.History.Dir() {
			first, second = move, record
		}
		one := first()
		if one == nil {
			one = second()
		}
		if one == nil {
			moved = append(moved, f)
		}
		err = errors.Join(err, one)
	}
	return moved, err
}

// strayReason returns why a file can't be a message, "" when it can.
func strayReason(file fs.DirEntry) string {
	switch {
	case file.IsDir():
		return "a directory, where only messages should be"
	case !file.Type().IsRegular():
		return "not a regular file"
	case !spool.IsName(file.Name()):
		return "not a file of vext: no message has such a name"
	}
	return ""
}
