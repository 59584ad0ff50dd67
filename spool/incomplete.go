package spool

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"vext/internal/disk"
)

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
