// Package history is the record of what happened: a file a year, one JSON
// object a line, only ever appended to. By it a commit that was reminded of is
// known for ever, and the statistics are made from it.
//
// The order of events is the order in which they were appended, not that of their
// times, because the clock can have been wrong. So events are only ever appended
// to the newest file.
package history

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// A History is the record in STATE/history.
type History struct {
	dir, sum string
	// Repository returns the name that a repository has, of one under which it
	// came; nil where it has no other.
	Repository func(string) string
}

// New returns the history of a state directory.
func New(state string) History {
	return History{dir: filepath.Join(state, "history"), sum: filepath.Join(state, "history.sum")}
}

// Dir returns the directory that the history lies in.
func (h History) Dir() string { return h.dir }

var yearFile = regexp.MustCompile(`^\d{4}\.jsonl$`)

// files returns the paths of the history's files, oldest year first. It leaves out
// what has a year's name but is not a regular file, see Strays.
func (h History) files() ([]string, error) {
	paths, _, err := h.list()
	return paths, err
}

// Strays returns the paths of whatever has a year's name but is not a regular file.
func (h History) Strays() ([]string, error) {
	_, strays, err := h.list()
	return strays, err
}

func (h History) list() (paths, strays []string, err error) {
	entries, err := os.ReadDir(h.dir) // sorted
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		switch path := filepath.Join(h.dir, e.Name()); {
		case !yearFile.MatchString(e.Name()):
		case e.Type().IsRegular() || isRegular(path):
			paths = append(paths, path)
		default:
			strays = append(strays, path)
		}
	}
	return paths, strays, nil
}

// isRegular reports whether a path leads to a regular file, possibly by a symbolic
// link.
func isRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// Scan calls fn with every event, in the order in which they were appended,
// whatever the clock said then. The event is valid only during the call. Lines that can't be
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
