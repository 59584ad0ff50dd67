package queue

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"vext/internal/calendar"
	"vext/internal/disk"
	"vext/internal/history"
)

// days returns the days that the queue has directories for, earliest first,
// and what else lies beside them.
func (q *Queue) days() (days []calendar.Day, others []fs.DirEntry, err error) {
	files, err := readDir(q.dir())
	for _, f := range files {
		day, parseErr := calendar.Parse(f.Name())
		if parseErr != nil || !f.IsDir() {
			others = append(others, f)
			continue
		}
		days = append(days, day)
	}
	return days, others, err
}

// Entries returns what waits in the queue, earliest day first, up to and with
// the day last; all of it for the zero Day. Things that are no messages are
// left out.
func (q *Queue) Entries(last calendar.Day) ([]Entry, error) {
	days, _, err := q.days()
	var entries []Entry
	for _, day := range days {
		if !last.IsZero() && last.Before(day) {
			break
		}
		files, dirErr := readDir(q.dayDir(day))
		err = errors.Join(err, dirErr)
		for _, f := range files {
			if foreign(f) == "" {
				entries = append(entries, q.entry(day, f.Name()))
			}
		}
	}
	return entries, err
}

// A StrayFile is a thing in the queue that is no message.
type StrayFile struct {
	Path, Name string
	Reason     string
}

// StrayFiles returns what lies in the queue and is no message, and what lies in
// the history in the place of a year's file or of a day.
func (q *Queue) StrayFiles() ([]StrayFile, error) {
	days, others, err := q.days()
	var found []StrayFile
	for _, f := range others {
		reason := "not a directory of a day (YYYYMMDD), which is all that belongs into queue/"
		found = append(found, StrayFile{filepath.Join(q.dir(), f.Name()), f.Name(), reason})
	}
	for _, day := range days {
		files, dirErr := readDir(q.dayDir(day))
		err = errors.Join(err, dirErr)
		for _, f := range files {
			if reason := foreign(f); reason != "" {
				found = append(found, StrayFile{filepath.Join(q.dayDir(day), f.Name()), f.Name(), reason})
			}
		}
	}
	strays, strayErr := q.History.Strays()
	for _, path := range strays {
		found = append(found, StrayFile{path, filepath.Base(path), "not a regular file, where a year of the history should be"})
	}
	done, doneErr := readDir(q.done())
	for _, f := range done {
		if _, parseErr := calendar.Parse(f.Name()); parseErr == nil && !f.IsDir() {
			found = append(found, StrayFile{filepath.Join(q.done(), f.Name()), f.Name(), "not a directory, where that of a day should be"})
		}
	}
	found = slices.DeleteFunc(found, func(f StrayFile) bool { return !isMovable(f.Path) })
	return found, errors.Join(err, strayErr, doneErr)
}

// isMovable reports whether something can be moved to another directory. A
// directory of another user can't. It is left where it is, and reported only once.
func isMovable(path string) bool {
	info, err := os.Lstat(path)
	return err != nil || !info.IsDir() || unix.Access(path, unix.W_OK) == nil
}

// QuarantineStrays moves what is no message out of the queue, and returns
// what it moved. A stray in the place of a year's file is moved before the move is
// recorded, because the record may belong into that file.
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
		move := func() error { return q.quarantine(f.Path, f.Name, f.Reason) }
		first, second := record, move
		if filepath.Dir(f.Path) == q.History.Dir() {
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

// Finish takes an entry out whose reminder was sent or cancelled, or that the
// policy lets go. The message is kept for a while, so that it can be snoozed
// even then.
func (q *Queue) Finish(e Entry) error {
	dir := filepath.Join(q.done(), q.Today().String())
	err := disk.Rename(e.Path, filepath.Join(dir, e.Name))
	if errors.Is(err, fs.ErrNotExist) { // the first of the day, or gone already
		if err := errors.Join(q.prepare(), disk.MakeDir(dir)); err != nil {
			return err
		}
		err = disk.Rename(e.Path, filepath.Join(dir, e.Name))
	}
	if errors.Is(err, fs.ErrExist) { // sent, snoozed and sent again on one day
		err = disk.Remove(e.Path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Postpone moves an entry to a later day, YYYYMMDD: it was snoozed, and a crash came
// before the move.
func (q *Queue) Postpone(e Entry, to string) error {
	day, err := calendar.Parse(to)
	if err != nil {
		return err
	}
	if err := disk.MakeDir(q.dayDir(day)); err != nil {
		return err
	}
	if err := disk.Rename(e.Path, q.entry(day, e.Name).Path); err != nil {
		return err
	}
	return disk.SyncDir(q.dayDir(day))
}

// SyncDay makes durable what Finish took out of a day, and removes the day's
// directory when that was the last.
func (q *Queue) SyncDay(day calendar.Day) error {
	dir := q.dayDir(day)
	if os.Remove(dir) == nil {
		return disk.SyncDir(q.dir())
	}
	err := disk.SyncDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// SweepDays removes the directories of days that a crash left empty.
func (q *Queue) SweepDays() error {
	days, _, err := q.days()
	for _, day := range days {
		unix.Rmdir(q.dayDir(day)) // fails where something is in it
	}
	return err
}

// keepDone is how many days a message is kept for which nothing waits.
const keepDone = 60

// maxGap is how long ago the last run may be if this run is to remove old messages.
// After a longer gap the clock may be ahead. If it is not, the next run removes
// them.
const maxGap = 7 * 24 * time.Hour

// SweepDone removes the messages that were kept for long enough.
func (q *Queue) SweepDone() error {
	if last, _ := Runs(q.State); !last.IsZero() && q.Now.Sub(last) > maxGap {
		return nil
	}
	files, err := readDir(q.done())
	for _, f := range files {
		day, parseErr := calendar.Parse(f.Name())
		if parseErr == nil && q.Today().Sub(day) > keepDone {
			err = errors.Join(err, os.RemoveAll(filepath.Join(q.done(), f.Name())))
		}
	}
	return err
}
