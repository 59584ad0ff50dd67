package queue

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"vext/internal/calendar"
	"vext/internal/disk"
	"vext/internal/history"
)

// days returns the days that have a directory in the queue, earliest first, and the
// other files beside these directories.
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

// Entries returns the messages in the queue, earliest day first, up to and including
// the day last; all of them for the zero Day.
func (q *Queue) Entries(last calendar.Day) ([]Entry, error) {
	days, _, err := q.days()
	var entries []Entry
	for _, day := range days {
		if !last.IsZero() && last.Before(day) {
			break
		}
		dir := q.dayDir(day)
		files, dirErr := readDir(dir)
		err = errors.Join(err, dirErr)
		for _, f := range files {
			if strayReason(f) == "" {
				entries = append(entries, Entry{f.Name(), day, dir})
			}
		}
	}
	return entries, err
}

// Overdue returns how many of the entries, earliest day first, were due before today.
func Overdue(entries []Entry, today calendar.Day) int {
	n := 0
	for n < len(entries) && entries[n].Day.Before(today) {
		n++
	}
	return n
}

// Entry returns the entry of that day and name, and whether it is in the queue.
func (q *Queue) Entry(day calendar.Day, name string) (Entry, bool) {
	e := q.entry(day, name)
	_, err := os.Lstat(e.path())
	return e, err == nil
}

// Finish moves the message of an entry to history/done: its reminder was sent or
// cancelled, or it is ignored. It is kept for keepDone days, during which it can be
// snoozed.
func (q *Queue) Finish(e Entry) error {
	dir := filepath.Join(q.done(), q.Today().String())
	err := disk.Rename(e.path(), filepath.Join(dir, e.Name))
	if errors.Is(err, fs.ErrNotExist) { // the first of the day, or moved before
		if err := errors.Join(q.prepare(), disk.MakeDir(dir)); err != nil {
			return err
		}
		err = disk.Rename(e.path(), filepath.Join(dir, e.Name))
	}
	if errors.Is(err, fs.ErrExist) { // sent, snoozed and sent again on one day
		err = disk.Remove(e.path())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Reopen moves a message from history/done back into the queue: its reminder has bounced.
// The error is fs.ErrNotExist when the message is no longer kept.
func (q *Queue) Reopen(name string, day calendar.Day) error {
	path, err := q.keptPath(name)
	if err != nil {
		return err
	}
	return q.move(Entry{Name: name, dir: filepath.Dir(path)}, day)
}

// IsKept reports whether a message is in history/done.
func (q *Queue) IsKept(name string) bool {
	_, err := q.keptPath(name)
	return err == nil
}

// Kept returns the messages in history/done whose names are wanted. Their Day is zero.
func (q *Queue) Kept(wanted func(name string) bool) (kept []Entry, err error) {
	days, err := readDir(q.done())
	for _, day := range days {
		dir := filepath.Join(q.done(), day.Name())
		files, dirErr := readDir(dir)
		err = errors.Join(err, dirErr)
		for _, f := range files {
			if wanted(f.Name()) {
				kept = append(kept, Entry{Name: f.Name(), dir: dir})
			}
		}
	}
	return kept, err
}

func (q *Queue) keptPath(name string) (string, error) {
	days, err := readDir(q.done())
	for _, day := range days {
		path := filepath.Join(q.done(), day.Name(), name)
		if _, err := os.Lstat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.Join(err, fs.ErrNotExist)
}

// Postpone moves an entry to a later day, YYYYMMDD. It was snoozed, and a crash
// prevented the move.
func (q *Queue) Postpone(e Entry, to string) error {
	day, err := calendar.Parse(to)
	if err != nil {
		return err
	}
	return q.move(e, day)
}

// SyncDay makes the effect of Finish on a day durable, and removes the day's directory
// when it is empty.
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

// SweepDays removes empty directories of days, which a crash can leave.
func (q *Queue) SweepDays() error {
	days, _, err := q.days()
	for _, day := range days {
		unix.Rmdir(q.dayDir(day)) // fails unless it is empty
	}
	return err
}

// keepDone is for how many days a message is kept after its reminder.
const keepDone = 60

// maxGap is how long ago the last run may be if this run is to remove old messages.
// After a longer gap the clock may be ahead; if it is not, the next run removes them.
const maxGap = 7 * 24 * time.Hour

// SweepDone removes the messages that are older than keepDone.
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

// Urgent reports whether the spool has a message that needs a run today: one that is
// due, or one whose period is not understood. It reads the messages that are not in
// before, returns the names of all, and changes nothing.
func (q *Queue) Urgent(before map[string]bool) (urgent bool, names map[string]bool, err error) {
	files, err := q.Spool.Requests()
	names = map[string]bool{}
	var fresh []fs.DirEntry
	for _, f := range files {
		if names[f.Name()] = true; !before[f.Name()] {
			fresh = append(fresh, f)
		}
	}
	if len(fresh) == 0 {
		return false, names, err
	}
	all, readErr := q.readAll(fresh, nil)
	var plan []Decision
	for i := range all {
		if all[i].IsUrgent(q.Today()) {
			plan = append(plan, all[i])
		}
	}
	_, compareErr := q.compare(&plan)
	err = errors.Join(err, readErr, compareErr)
	for i := range plan {
		urgent = urgent || plan[i].IsUrgent(q.Today())
		if plan[i].Event.Kind == Held {
			delete(names, plan[i].Name) // read it again later
		}
	}
	return urgent, names, err
}

// IsUrgent reports whether a run on the day today does something about the message.
func (d *Decision) IsUrgent(today calendar.Day) bool {
	switch d.Event.Kind {
	case history.Queued:
		return !today.Before(d.Day)
	case history.Failed:
		return d.Event.Cause == history.CausePeriod
	}
	return false
}
