package queue

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/disk"
	"vext/internal/history"
	"vext/spool"
)

// Quarantine records event with the reason, and moves an entry to failed/.
func (q *Queue) Quarantine(e Entry, event history.Event, reason string) error {
	event.Time, event.Kind, event.Name, event.Reason = history.Stamp(q.Now), history.Failed, e.Name, reason
	if err := q.History.Append(event); err != nil {
		return err
	}
	return q.Spool.Quarantine(e.path(), e.Name, reason)
}

// QuarantinedEntries returns all that is quarantined, by name, as entries without a day.
func (q *Queue) QuarantinedEntries() ([]Entry, error) {
	files, err := readDir(q.failed())
	var entries []Entry
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), spool.WhySuffix) {
			entries = append(entries, Entry{Name: f.Name(), dir: q.failed()})
		}
	}
	return entries, err
}

// Quarantined returns the quarantined messages, with their reasons.
func (q *Queue) Quarantined() ([]Item, error) {
	entries, err := q.QuarantinedEntries()
	items := make([]Item, len(entries))
	for i, e := range entries {
		why, _ := disk.ReadFile(e.path() + spool.WhySuffix)
		items[i] = Item{Name: e.Name, Place: InQuarantine, dir: e.dir, Reason: strings.TrimSpace(string(why))}
		items[i].fill(q, nil)
	}
	return items, err
}

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

// The reason for which a message is quarantined is one line. Lines with advice can
// follow, in which ID stands for the ID of the message.

// WithID returns a reason in which the commands have the message's ID, and begin with
// command instead of vext.
func WithID(reason, command, id string) string {
	for _, verb := range []string{" snooze ", " cancel ", " retry "} {
		reason = strings.ReplaceAll(reason, "vext"+verb+"ID", command+verb+id)
	}
	return reason
}

// SplitReason returns the two parts of a reason. The advice can be empty.
func SplitReason(reason string) (why, advice string) {
	why, advice, _ = strings.Cut(reason, "\n")
	return why, advice
}

// ByAdvice groups quarantined messages by advice, so that it is printed once, in the
// order of their first members.
func ByAdvice[T any](all []T, reason func(*T) string) [][]*T {
	var groups [][]*T
	place := map[string]int{}
	for i := range all {
		why, advice := SplitReason(reason(&all[i]))
		key := cmp.Or(advice, why)
		at, known := place[key]
		if !known {
			at = len(groups)
			place[key], groups = at, append(groups, nil)
		}
		groups[at] = append(groups[at], &all[i])
	}
	return groups
}

// ID returns the ID of a message for commands: the short revision if it has one, or
// else the name.
func ID(e *history.Event) string {
	number := strings.TrimPrefix(e.Revision, "r")
	_, err := strconv.ParseUint(number, 10, 32)
	if e.Key != "" && (commit.IsHex(e.Revision) && len(e.Revision) >= 12 || err == nil && number != e.Revision) {
		return commit.ShortRevision(e.Revision)
	}
	return e.Name
}

// QuarantineAdvice returns what to do about quarantined messages. unclear is how many of
// them have a period that is not understood; a retry does not help these.
func QuarantineAdvice(unclear, all int) string {
	const give, fix = "give what is not understood a day (vext snooze ID 2 weeks), or drop it (vext cancel ID)", "vext retry --all"
	switch unclear {
	case 0:
		return "once the cause is fixed, " + fix
	case all:
		return give
	}
	return give + "; the rest, once its cause is fixed: " + fix
}
