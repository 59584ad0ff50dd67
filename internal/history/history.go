// Package history is the record of what happened: a file a year, one JSON object a
// line, only ever appended to. It prevents a second reminder of the same commit,
// and the statistics are made from it.
//
// The order of events is the order in which they were appended, not that of their
// times, because the clock can have been wrong. So events are only ever appended
// to the newest file.
package history

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync/atomic"
	"time"

	"vext/internal/disk"
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

// Strays returns the paths of whatever has a year's name but is not a regular file.
func (h History) Strays() ([]string, error) {
	_, strays, err := h.files()
	return strays, wrap("read", h.dir, err)
}

// files returns the paths of the history's files, oldest year first, and the strays.
func (h History) files() (paths, strays []string, err error) {
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

// Scan calls fn with every event of these kinds, or with every event when no kind is
// given, in the order in which they were appended. The event is valid only during the
// call. Scan skips damaged lines and returns their number; without a kind it finds all
// of them.
func (h History) Scan(fn func(*Event), kinds ...string) (damaged int, err error) {
	_, damaged, err = h.scanEvents(Position{}, nil, fn, kinds)
	return damaged, err
}

// ScanFrom calls fn with every event that was appended after a position, and returns
// the position behind the last. When the history before the position is no longer what
// it was, because somebody has changed or restored it, ScanFrom calls restart, and then
// fn with all events.
func (h History) ScanFrom(from Position, restart func(), fn func(*Event)) (to Position, err error) {
	to, _, err = h.scanEvents(from, restart, fn, nil)
	return to, err
}

func (h History) scanEvents(from Position, restart func(), fn func(*Event), kinds []string) (to Position, damaged int, err error) {
	var e Event
	known := names{}
	to, err = h.scan(from, restart, func(r *record) {
		switch {
		case r == nil:
			damaged++
		case len(kinds) > 0 && !slices.Contains(kinds, string(r[fKind])):
		case r.event(&e, known):
			fn(&e)
		case len(r[fKind]) > 0:
			damaged++
		}
	})
	return to, damaged, err
}

// A Position is a place in the history, with what identifies the history before it.
// The zero Position is the beginning.
type Position struct{ sums sums }

// MarshalText returns the position as text.
func (p Position) MarshalText() ([]byte, error) { return p.sums.text(), nil }

// UnmarshalText reads a position as MarshalText writes it.
func (p *Position) UnmarshalText(text []byte) error {
	p.sums = parseSums(text)
	return nil
}

// scan calls fn with the lines behind a position, nil for a damaged line, and returns
// the position behind the last.
func (h History) scan(from Position, restart func(), fn func(*record)) (to Position, err error) {
	paths, _, err := h.files()
	if err != nil {
		return to, wrap("read", h.dir, err)
	}
	last := len(from.sums) - 1
	if last >= 0 && !from.isIn(paths) {
		last = -1
		restart()
	}
	for i, path := range paths {
		var offset int64
		if i <= last {
			offset = from.sums[i].size
		}
		if err := h.scanFile(path, offset, &to, fn); err != nil {
			return to, wrap("read", path, err)
		}
	}
	return to, nil
}

// isIn reports whether the history in these files has the position: the last file of
// the position may have grown, and the others are unchanged.
func (p Position) isIn(paths []string) bool {
	for i, s := range p.sums {
		if i >= len(paths) || filepath.Base(paths[i]) != s.name {
			return false
		}
		f, err := disk.Open(paths[i])
		if err != nil {
			return false
		}
		info, err := f.Stat()
		err = errors.Join(err, p.sums.check(f, s.name))
		if f.Close(); err != nil || i < len(p.sums)-1 && info.Size() != s.size {
			return false
		}
	}
	return true
}

// scanFile calls fn with the lines of a file from an offset on, and adds the end of the
// file to a position.
func (h History) scanFile(path string, offset int64, to *Position, fn func(*record)) error {
	f, err := disk.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	n, err := scanLines(f, fn)
	if err != nil {
		return err
	}
	h.read.Add(n)
	end, err := readTailBefore(f, offset+n)
	to.sums = append(to.sums, sum{filepath.Base(path), end.size, end.digest()})
	return err
}

// scanLines calls fn with the lines of a file, and returns the length of all.
func scanLines(f *os.File, fn func(*record)) (n int64, err error) {
	r := bufio.NewReaderSize(f, 256<<10)
	var fields record
	var line, long []byte
	for err == nil {
		line, err = r.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			long, err = append(long, line...), nil
			continue
		}
		if len(long) > 0 {
			long = append(long, line...)
			line, long = long, long[:0]
		}
		switch {
		case len(line) <= 1:
		case fields.split(line):
			fn(&fields)
		default:
			fn(nil)
		}
		n += int64(len(line))
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}
