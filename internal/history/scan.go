package history

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"

	"vext/internal/disk"
)

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
	to, err = h.scan(from, restart, func(r *record, _ place) {
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

// A place is where a line begins: its file's year, and the offset in the file.
type place struct {
	year   int16
	offset int64
}

// scan calls fn with the lines behind a position, nil for a damaged line, and returns
// the position behind the last.
func (h History) scan(from Position, restart func(), fn func(*record, place)) (to Position, err error) {
	paths, err := h.files()
	if err != nil {
		return to, wrap("read", h.dir, err)
	}
	last := len(from.sums) - 1
	if last >= 0 && !from.isIn(paths) {
		last = -1
		restart()
	}
	for i, path := range paths {
		switch {
		case i < last:
			to.sums = append(to.sums, from.sums[i])
			continue
		case i == last:
			err = h.scanFile(path, from.sums[i].size, &to, fn)
		default:
			err = h.scanFile(path, 0, &to, fn)
		}
		if err != nil {
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
func (h History) scanFile(path string, offset int64, to *Position, fn func(*record, place)) error {
	f, err := disk.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	year := yearOf(path)
	n, err := scanLines(f, func(r *record, at int64) { fn(r, place{int16(year), offset + at}) })
	if err != nil {
		return err
	}
	h.read.Add(n)
	end, err := readTailBefore(f, offset+n)
	to.sums = append(to.sums, sum{filepath.Base(path), end.size, end.digest()})
	return err
}

// scanLines calls fn with the lines of a file and their offsets, and returns the length
// of all.
func scanLines(f *os.File, fn func(*record, int64)) (n int64, err error) {
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
			fn(&fields, n)
		default:
			fn(nil, n)
		}
		n += int64(len(line))
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}
