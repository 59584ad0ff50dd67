// Package history is the record of what happened: a file a year, one JSON
// object a line, only ever appended to. By it a commit that was reminded of is
// known for ever, and the statistics are made from it.
package history

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"vext/internal/disk"
)

// A History is the record in STATE/history.
type History struct {
	dir string
	// Repository returns the name that a repository has, of one under which it
	// came; nil where it has no other.
	Repository func(string) string
}

// New returns the history of a state directory.
func New(state string) History { return History{dir: filepath.Join(state, "history")} }

// Dir returns the directory that the history lies in.
func (h History) Dir() string { return h.dir }

// Append writes events, in their order, and returns when they are on disk. It
// writes all events of a year at once, so that a crash leaves all of them or a
// last line that is cut off and is passed over.
func (h History) Append(events ...Event) error {
	for len(events) > 0 {
		year, n := events[0].Time.UTC().Year(), 1
		for n < len(events) && events[n].Time.UTC().Year() == year {
			n++
		}
		if err := h.appendYear(year, events[:n]); err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

func (h History) path(year int) string {
	return filepath.Join(h.dir, fmt.Sprintf("%04d.jsonl", year))
}

func (h History) appendYear(year int, events []Event) error {
	var lines []byte
	for i := range events {
		var err error
		if lines, err = events[i].appendLine(lines); err != nil {
			return err
		}
	}
	f, isNew, err := h.open(year)
	if err != nil {
		return err
	}
	defer f.Close()
	size, cut, err := end(f)
	if err != nil {
		return err
	}
	if cut {
		lines = append([]byte("\n"), lines...)
	}
	if _, err = f.Write(lines); err == nil {
		err = f.Sync()
	}
	if err != nil {
		// Whoever tries again is not to record it twice.
		return errors.Join(err, f.Truncate(size))
	}
	if isNew {
		return disk.SyncDir(h.dir)
	}
	return nil
}

// open opens the file of a year for appending and reports whether it is new.
func (h History) open(year int) (f *os.File, isNew bool, err error) {
	const flags = os.O_RDWR | os.O_APPEND
	f, err = os.OpenFile(h.path(year), flags, 0)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, false, err
	}
	if err := disk.MakeDir(h.dir); err != nil {
		return nil, false, err
	}
	f, err = os.OpenFile(h.path(year), flags|os.O_CREATE, disk.FileMode)
	return f, true, err
}

// end returns the size of a file, and whether a crash or a full disk cut its
// last line off.
func end(f *os.File) (size int64, cut bool, err error) {
	size, err = f.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return size, false, err
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], size-1)
	return size, last[0] != '\n', err
}

var yearFile = regexp.MustCompile(`^\d{4}\.jsonl$`)

// files returns the paths of the history's files, oldest year first.
func (h History) files() ([]string, error) {
	entries, err := os.ReadDir(h.dir) // sorted
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range entries {
		if yearFile.MatchString(e.Name()) {
			paths = append(paths, filepath.Join(h.dir, e.Name()))
		}
	}
	return paths, nil
}

// Scan calls fn with every event, oldest year first and as they were written
// within a year. The event is valid only during the call. Lines that can't be
// read are passed over; their number is returned.
func (h History) Scan(fn func(*Event)) (damaged int, err error) {
	paths, err := h.files()
	if err != nil {
		return 0, err
	}
	for _, path := range paths {
		n, err := scanFile(path, fn)
		if err != nil {
			return damaged, fmt.Errorf("history: %w", err)
		}
		damaged += n
	}
	return damaged, nil
}

// Stamp returns t in the form in which events keep their time: seconds, UTC.
func Stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
