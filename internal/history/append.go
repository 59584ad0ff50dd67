package history

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"vext/internal/disk"
)

// Append writes events in their order, and returns when they are on disk. It writes
// the events of a year in one call, so that a crash leaves all of them, or an
// incomplete last line, which is skipped.
//
// Events of earlier years go into the newest file, too. The first event after the
// clock was set back has its Clock set. Append returns an ErrLost instead of
// continuing a file that has lost records.
func (h History) Append(events ...Event) error {
	return h.appendAll(events, true)
}

// AppendPast is Append for imported events, whose old times do not mean that the
// clock was set back.
func (h History) AppendPast(events ...Event) error {
	return h.appendAll(events, false)
}

func (h History) appendAll(events []Event, mark bool) error {
	if len(events) == 0 {
		return nil
	}
	newest, err := h.newest()
	if err != nil {
		return wrap("read", h.dir, err)
	}
	for len(events) > 0 {
		year, n := max(newest, events[0].Time.UTC().Year()), 1
		for n < len(events) && max(newest, events[n].Time.UTC().Year()) == year {
			n++
		}
		if err := h.appendYear(year, events[:n], mark); err != nil {
			return wrap("append to", h.path(year), err)
		}
		newest, events = year, events[n:]
	}
	return nil
}

// newest returns the year of the newest file, 0 when there is none.
func (h History) newest() (int, error) {
	paths, err := h.files()
	if err != nil || len(paths) == 0 {
		return 0, err
	}
	return yearOf(paths[len(paths)-1]), nil
}

// yearOf returns the year of a file.
func yearOf(path string) int {
	year, _ := strconv.Atoi(filepath.Base(path)[:4]) // which files has checked
	return year
}

func (h History) path(year int) string {
	return filepath.Join(h.dir, fmt.Sprintf("%04d.jsonl", year))
}

func (h History) appendYear(year int, events []Event, mark bool) error {
	sums, name := h.readSums(), filepath.Base(h.path(year))
	f, err := h.open(year, sums.has(name))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := sums.check(f, name); err != nil {
		return err
	}
	end, err := readTail(f)
	if err != nil {
		return err
	}
	var lines []byte
	if end.isCut() { // by a crash or a full disk
		lines = append(lines, '\n')
	}
	for i, e := range events {
		e.Clock = "" // of an event that this one was made from
		if last, ok := end.lastTime(); i == 0 && mark && ok && last.Sub(e.Time) > clockSlack {
			e.Clock = last.UTC().Format(time.RFC3339)
		}
		if lines, err = e.appendLine(lines); err != nil {
			return err
		}
	}
	if _, err = f.Write(lines); err == nil {
		err = f.Sync()
	}
	if err == nil && !sums.has(name) {
		// The file is new, or the process that made it crashed before it synced
		// the name.
		err = disk.SyncDir(h.dir)
	}
	if err != nil {
		// A repeated attempt must not record the events twice.
		if truncErr := f.Truncate(end.size); truncErr != nil {
			return errors.Join(err, truncErr)
		}
		return err
	}
	h.writeSum(sums, f, name)
	return nil
}

// clockSlack is by how much times may be out of order without counting as a clock
// that was set back: runs overlap, and clocks are adjusted.
const clockSlack = time.Hour

// open opens the file of a year for appending. It creates a missing file only if no
// sum of it is known.
func (h History) open(year int, isKnown bool) (*os.File, error) {
	const flags = os.O_RDWR | os.O_APPEND | os.O_CREATE | unix.O_NONBLOCK
	if isKnown && !isRegular(h.path(year)) {
		return nil, errMissing
	}
	f, err := os.OpenFile(h.path(year), flags, disk.FileMode)
	if errors.Is(err, fs.ErrNotExist) {
		if err := disk.MakeDir(h.dir); err != nil {
			return nil, err
		}
		f, err = os.OpenFile(h.path(year), flags, disk.FileMode)
	}
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, cmp.Or(err, disk.ErrNotRegular)
	}
	return f, nil
}
