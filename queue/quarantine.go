package queue

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"vext/internal/disk"
	"vext/internal/history"
	"vext/internal/text"
	"vext/spool"
)

// whySuffix ends the name of the file that says why a message is quarantined.
const whySuffix = ".why"

// Quarantine records event with the reason, and moves an entry to failed/.
func (q *Queue) Quarantine(e Entry, event history.Event, reason string) error {
	event.Time, event.Kind, event.Name, event.Reason = history.Stamp(q.Now), history.Failed, e.Name, reason
	if err := q.History.Append(event); err != nil {
		return err
	}
	return q.quarantine(e.path, e.Name, reason)
}

// quarantine writes the reason before it moves the message, so that no message in
// failed/ lacks one. The reason is not synced, because the history has it too.
func (q *Queue) quarantine(path, name, reason string) error {
	if err := disk.MakeDir(q.failed()); err != nil {
		return err
	}
	name, err := q.failedName(name, path)
	if err != nil {
		return err
	}
	to := filepath.Join(q.failed(), name)
	os.Remove(to + whySuffix) // it may be a FIFO, on which a write would block
	if err := os.WriteFile(to+whySuffix, []byte(reason+"\n"), disk.FileMode); err != nil {
		return err
	}
	err = disk.Rename(path, to)
	if errors.Is(err, fs.ErrExist) && isSameFile(path, to) { // a crash between link and unlink
		err = disk.Remove(path)
	}
	return err
}

func isSameFile(a, b string) bool {
	x, xErr := os.Lstat(a)
	y, yErr := os.Lstat(b)
	return xErr == nil && yErr == nil && os.SameFile(x, y)
}

// failedName returns a free name in failed/. A message keeps its own name. A file
// without a message's name, or whose name is taken, gets one made from its path and
// modification time.
func (q *Queue) failedName(name, path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	there, err := os.Lstat(filepath.Join(q.failed(), name))
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", err
	case spool.IsName(name) && (err != nil || os.SameFile(info, there)):
		return name, nil
	}
	sum := sha256.Sum256([]byte(path + info.ModTime().String()))
	clean := strings.Map(func(r rune) rune {
		if spool.IsName("x"+string(r)) && r != '.' {
			return r
		}
		return '_'
	}, text.Shorten(name, 100))
	return "stray-" + strings.Trim(clean, "_") + "-" + hex.EncodeToString(sum[:8]), nil
}

// QuarantinedEntries returns all that is quarantined, by name, as entries without a day.
func (q *Queue) QuarantinedEntries() ([]Entry, error) {
	files, err := readDir(q.failed())
	var entries []Entry
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), whySuffix) {
			entries = append(entries, Entry{Name: f.Name(), path: filepath.Join(q.failed(), f.Name())})
		}
	}
	return entries, err
}

// Quarantined returns the quarantined messages, with their reasons.
func (q *Queue) Quarantined() ([]Item, error) {
	entries, err := q.QuarantinedEntries()
	items := make([]Item, len(entries))
	for i, e := range entries {
		why, _ := disk.ReadFile(e.path + whySuffix)
		items[i] = Item{Name: e.Name, Place: InQuarantine, path: e.path, Reason: strings.TrimSpace(string(why)), Event: &history.Event{Name: e.Name}}
		if spool.IsName(e.Name) {
			items[i].fill(q, nil)
		}
	}
	return items, err
}
