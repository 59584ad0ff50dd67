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
	"vext/spool"
)

// whySuffix ends the name of the file that says why a message was set aside.
const whySuffix = ".why"

// SetAside moves an entry to failed/, with the reason beside it, and records
// it. Nothing is deleted because it was not understood.
func (q *Queue) SetAside(e Entry, event history.Event, reason string) error {
	event.Time, event.Kind, event.Name, event.Reason = history.Now(q.Now), history.Failed, e.Name, reason
	if err := q.History.Append(event); err != nil {
		return err
	}
	return q.setAside(e.Path, e.Name, reason)
}

// setAside writes the reason before it moves the message, so that there is
// never a message in failed/ without one. The reason is not synced: it is in
// the history, too.
func (q *Queue) setAside(path, name, reason string) error {
	if err := disk.MakeDir(q.failed()); err != nil {
		return err
	}
	name, err := q.failedName(name, path)
	if err != nil {
		return err
	}
	to := filepath.Join(q.failed(), name)
	if err := os.WriteFile(to+whySuffix, []byte(reason+"\n"), disk.FileMode); err != nil {
		return err
	}
	if err := os.Chmod(to+whySuffix, disk.FileMode); err != nil { // whatever the umask
		return err
	}
	return disk.Rename(path, to)
}

// failedName returns a free name in failed/. A message keeps its own; what has
// no message's name, or finds it taken, gets one made from its path and size.
func (q *Queue) failedName(name, path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	if _, err := os.Lstat(filepath.Join(q.failed(), name)); spool.IsName(name) && errors.Is(err, fs.ErrNotExist) {
		return name, nil
	}
	sum := sha256.Sum256([]byte(path + info.ModTime().String()))
	clean := strings.Map(func(r rune) rune {
		if spool.IsName("x"+string(r)) && r != '.' {
			return r
		}
		return '_'
	}, shorten(name, 100))
	return "foreign-" + strings.Trim(clean, "_") + "-" + hex.EncodeToString(sum[:8]), nil
}

// A Failure is something set aside.
type Failure struct {
	Name   string
	Path   string
	Reason string
}

// Failures returns what was set aside, by name.
func (q *Queue) Failures() ([]Failure, error) {
	files, err := readDir(q.failed())
	if err != nil {
		return nil, err
	}
	var failures []Failure
	for _, f := range files {
		if strings.HasSuffix(f.Name(), whySuffix) {
			continue
		}
		path := filepath.Join(q.failed(), f.Name())
		why, _ := os.ReadFile(path + whySuffix)
		failures = append(failures, Failure{Name: f.Name(), Path: path, Reason: strings.TrimSpace(string(why))})
	}
	return failures, nil
}
