package spool

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"vext/internal/calendar"
	"vext/internal/disk"
)

// seen is the file of vext-filter; those of other sources have a suffix: seen-lmtp,
// seen-webhook-github. Its modification time is that of the last commit. It contains the
// days with commits, one a line, from which vext check computes how long a source is
// usually silent.
const seen = "seen"

// Seen records that a commit has arrived, with or without a request, so that vext check
// can detect a broken source. The source is "" for vext-filter. Seen returns no error,
// because a message must be accepted even when this can't be recorded.
func (s Spool) Seen(source string) {
	f, err := disk.OpenFile(s.seenPath(source), os.O_APPEND|os.O_CREATE|os.O_WRONLY)
	if err != nil {
		return
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil || unix.Utimes(f.Name(), nil) != nil {
		return
	}
	now, err := f.Stat()
	if err != nil || before.Size() > 0 && dayOf(before) == dayOf(now) {
		return
	}
	days := dayOf(now)
	if before.Size() == 0 && dayOf(before) != days { // of a version that noted no days
		days = dayOf(before) + days
	}
	f.WriteString(days) // in one write, as other processes may write too
}

// dayOf returns the line for the day of a file's modification time.
func dayOf(info fs.FileInfo) string { return calendar.Of(info.ModTime(), time.UTC).String() + "\n" }

// DaysSeen returns the days, in UTC and up to now, on which commits came from one
// source, oldest first and each once. From a file of an earlier version it returns
// only the last day.
func (s Spool) DaysSeen(source string, now time.Time) []calendar.Day {
	data, err := os.ReadFile(s.seenPath(source))
	if err != nil {
		return nil
	}
	var days []calendar.Day
	for line := range strings.Lines(string(data)) {
		if day, err := calendar.Parse(strings.TrimSpace(line)); err == nil {
			days = append(days, day)
		}
	}
	days = append(days, calendar.Of(modified(s.seenPath(source)), time.UTC))
	today := calendar.Of(now, time.UTC)
	days = slices.DeleteFunc(days, func(day calendar.Day) bool { return today.Before(day) }) // the clock was wrong
	slices.SortFunc(days, func(a, b calendar.Day) int { return a.Sub(b) })
	return slices.Compact(days)
}

func (s Spool) seenPath(source string) string {
	if source == "" {
		return filepath.Join(s.history(), seen)
	}
	return filepath.Join(s.history(), seen+"-"+Name(source))
}

// LastSeen returns when Seen was last called for any source, the zero time if never.
func (s Spool) LastSeen() time.Time {
	var last time.Time
	names, _ := fs.Glob(os.DirFS(s.history()), seen+"*")
	for _, name := range names {
		if t := modified(filepath.Join(s.history(), name)); t.After(last) {
			last = t
		}
	}
	return last
}

// LastSeenBy returns when Seen was last called for one source, the zero time if never.
func (s Spool) LastSeenBy(source string) time.Time { return modified(s.seenPath(source)) }

func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// Lost records that something from a source was lost before it could be stored, as a
// datagram can be.
func (s Spool) Lost(source string) {
	if disk.MakeDir(s.history()) != nil { // of a service that has not had a commit yet
		return
	}
	if f, err := disk.OpenFile(s.lostPath(source), os.O_CREATE|os.O_WRONLY); err == nil {
		f.Close()
		unix.Utimes(f.Name(), nil)
	}
}

// LastLost returns when Lost was last called for a source, the zero time if never.
func (s Spool) LastLost(source string) time.Time { return modified(s.lostPath(source)) }

func (s Spool) lostPath(source string) string {
	return filepath.Join(s.history(), "lost-"+Name(source))
}

// An IncompletePush is a push whose commits vext has not all seen, and can't look up in a
// repository.
type IncompletePush struct {
	Time       time.Time `json:"time,omitzero"`
	Hook       string    `json:"hook,omitempty"` // "" for what the filter read
	Repository string    `json:"repository"`
	Refname    string    `json:"refname"`
	Before     string    `json:"before,omitempty"` // "" for a new branch
	After      string    `json:"after"`
	Listed     int       `json:"listed"`
	Total      int       `json:"total,omitempty"` // 0 when unknown
}

// Bounds of a note and of a file of notes, in bytes. A full file replaces the older one.
const (
	maxNote  = 4 << 10
	maxNotes = 32 << 10
)

func (s Spool) incomplete() string      { return filepath.Join(s.history(), "incomplete") }
func (s Spool) olderIncomplete() string { return s.incomplete() + ".old" }

// Incomplete notes a push for the operator. It returns no error, because a push must not
// fail when the note can't be written.
func (s Spool) Incomplete(e IncompletePush) {
	line, err := json.Marshal(e)
	if err != nil || len(line) > maxNote {
		return
	}
	if info, err := os.Stat(s.incomplete()); err == nil && info.Size()+int64(len(line)) >= maxNotes {
		os.Rename(s.incomplete(), s.olderIncomplete())
	}
	f, err := disk.OpenFile(s.incomplete(), os.O_APPEND|os.O_CREATE|os.O_WRONLY)
	if errors.Is(err, fs.ErrNotExist) && disk.MakeDir(s.history()) == nil {
		f, err = disk.OpenFile(s.incomplete(), os.O_APPEND|os.O_CREATE|os.O_WRONLY)
	}
	if err != nil {
		return
	}
	f.Write(append(line, '\n')) // in one write, as other processes may write too
	f.Close()
}

// IncompletePushes returns the notes, the oldest first. A note without a time gets the
// time of its file, which is not earlier.
func (s Spool) IncompletePushes() []IncompletePush {
	var pushes []IncompletePush
	for _, path := range []string{s.olderIncomplete(), s.incomplete()} {
		data, err := disk.ReadFile(path)
		if err != nil {
			continue
		}
		var written time.Time
		if info, err := os.Stat(path); err == nil {
			written = info.ModTime()
		}
		for line := range bytes.Lines(data) {
			var e IncompletePush
			if json.Unmarshal(line, &e) != nil { // cut off by a crash
				continue
			}
			if e.Time.IsZero() {
				e.Time = written
			}
			pushes = append(pushes, e)
		}
	}
	return pushes
}

// ForgetIncomplete removes the notes that forget selects. A note that is written
// meanwhile may be lost with them.
func (s Spool) ForgetIncomplete(forget func(IncompletePush) bool) {
	var kept []byte
	forgotten := false
	for _, e := range s.IncompletePushes() {
		if forget(e) {
			forgotten = true
			continue
		}
		if line, err := json.Marshal(e); err == nil {
			kept = append(append(kept, line...), '\n')
		}
	}
	if forgotten && disk.Replace(s.tmp(), s.incomplete(), kept) == nil {
		disk.Remove(s.olderIncomplete())
	}
}
