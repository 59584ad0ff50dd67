package history

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

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
func (h History) newest() (year int, err error) {
	paths, _, err := h.files()
	if len(paths) > 0 {
		year, _ = strconv.Atoi(filepath.Base(paths[len(paths)-1])[:4]) // which files has checked
	}
	return year, err
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
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		lines = append(append(lines, line...), '\n')
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
	if isKnown && !isRegular(h.path(year)) {
		return nil, errMissing
	}
	if err := disk.MakeDir(h.dir); err != nil {
		return nil, err
	}
	return disk.OpenFile(h.path(year), os.O_RDWR|os.O_APPEND|os.O_CREATE)
}

// reserved is the space kept for the records of one mail, in bytes. A record has some
// 500.
const reserved = 16 << 10

func (h History) ballast() string { return filepath.Join(h.dir, "ballast") }

// Reserve allocates space, so that what is sent next can be recorded even when the
// disk fills up meanwhile.
func (h History) Reserve() error { return wrap("reserve space at", h.ballast(), h.reserve()) }

func (h History) reserve() error {
	if err := disk.MakeDir(h.dir); err != nil {
		return err
	}
	if err := os.RemoveAll(h.ballast()); err != nil { // a FIFO, say, that an open would wait for
		return err
	}
	f, err := os.OpenFile(h.ballast(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, disk.FileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, reserved))
	if err == nil {
		err = f.Sync() // file systems that allocate late do it now
	}
	if err = cmp.Or(err, f.Close()); err != nil {
		h.Release()
	}
	return err
}

// Release frees the space that Reserve allocated, if any.
func (h History) Release() error { return wrap("remove", h.ballast(), disk.Remove(h.ballast())) }
