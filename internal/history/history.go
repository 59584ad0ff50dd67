// Package history is the record of what happened: a file a year, one JSON object a
// line, only ever appended to. It prevents a second reminder of the same commit,
// and the statistics are made from it.
//
// The order of events is the order in which they were appended, not that of their
// times, because the clock can have been wrong. So events are only ever appended
// to the newest file.
package history

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"time"
)

// A History is the record in STATE/history.
type History struct {
	dir, sum string
	// Repository returns the canonical name of a repository; nil when no repository
	// has an alias.
	Repository func(string) string

	read *atomic.Int64
}

// New returns the history of a state directory.
func New(state string) History {
	return History{dir: filepath.Join(state, "history"), sum: filepath.Join(state, "history.sum"), read: new(atomic.Int64)}
}

// Read returns how many bytes of the history were read by h and its copies.
func (h History) Read() int64 { return h.read.Load() }

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
	return strays, wrap("read", h.dir, err)
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

// An Error says that the history could not be read or written. All methods of
// History return it. Nothing may be sent after one: a reminder could be sent twice.
type Error struct {
	Op   string // "append to", "read"
	Path string // of a file, or of the directory
	Err  error
}

func (e *Error) Error() string { return e.Op + " " + e.Path + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// wrap returns err as an Error, nil for nil. The operation and path of an
// fs.PathError replace those given.
func wrap(op, path string, err error) error {
	if err == nil {
		return nil
	}
	switch e := err.(type) {
	case *Error:
		return e
	case *fs.PathError:
		return &Error{e.Op, e.Path, e.Err}
	}
	return &Error{op, path, err}
}

// Stamp returns t in the form in which events keep their time: seconds, UTC.
func Stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
