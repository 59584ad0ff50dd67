// Package spool stores messages until the queue, or the process that announces commits,
// takes them. Once PutAll has returned, the messages are on disk, complete, each under
// its name.
package spool

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"vext/internal/disk"
	"vext/internal/text"
)

// A Spool is the spool of a state directory.
type Spool struct {
	state string
	id    string // the identity that the state directory must have; "" for any
}

// New returns the spool of a state directory. It does not access the directory.
func New(state string) Spool { return Spool{state: state} }

// Dir returns the directory of the messages.
func (s Spool) Dir() string { return filepath.Join(s.state, "spool") }

// Path returns the path of the message of that name.
func (s Spool) Path(name string) string { return filepath.Join(s.Dir(), name) }

func (s Spool) tmp() string     { return filepath.Join(s.state, "tmp") }
func (s Spool) history() string { return filepath.Join(s.state, "history") }

// Put is PutAll for one message.
func (s Spool) Put(name string, data []byte) (isNew bool, err error) {
	n, err := s.PutAll(Message{name, data})
	return n == 1, err
}

// CanWrite reports whether there is space for a message, by writing and removing a file.
// It returns nil before the first message, when there is no directory yet.
func (s Spool) CanWrite() error {
	err := disk.TryWrite(s.tmp(), 64<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (s Spool) make() error {
	for _, dir := range []string{s.tmp(), s.Dir(), s.history()} {
		if err := disk.MakeDir(dir); err != nil {
			return err
		}
	}
	if _, err := os.Lstat(s.idPath()); errors.Is(err, fs.ErrNotExist) {
		s.makeID() // if this user may not write it, a run does
	}
	return nil
}

// sweepAge is the age from which a file in tmp/ must be left by a crash. No mail system
// keeps a delivery open for so long.
const sweepAge = 36 * time.Hour

// Sweep removes files that crashes left in tmp/. It leaves the files of living
// processes, however old they are by the clock, and files of other users that it may
// not remove.
func (s Spool) Sweep(now time.Time) error {
	entries, err := os.ReadDir(s.tmp())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		info, infoErr := e.Info()
		if infoErr != nil || now.Sub(info.ModTime()) < sweepAge || isBeingWritten(e.Name()) {
			continue
		}
		if removeErr := os.RemoveAll(filepath.Join(s.tmp(), e.Name())); !errors.Is(removeErr, fs.ErrPermission) {
			err = errors.Join(err, removeErr)
		}
	}
	return err
}

// isBeingWritten reports whether the process that created a file in tmp/ is alive.
func isBeingWritten(name string) bool {
	before, _, _ := strings.Cut(name, ".")
	pid, err := strconv.Atoi(before)
	if err != nil || pid <= 0 {
		return false
	}
	return !errors.Is(unix.Kill(pid, 0), unix.ESRCH)
}

// maxName bounds a name, in bytes. File systems allow 255, and failed/ adds an ending.
const maxName = 200

const digestName = "sha256-"

// Name returns the name of the message with that Message-ID: the ID without its angle
// brackets if that is a valid name, otherwise its SHA-256. An ID that looks like a digest
// is digested too, so that no two IDs have the same name.
func Name(id string) string {
	id = strings.TrimSuffix(strings.TrimPrefix(id, "<"), ">")
	if IsName(id) && !strings.HasPrefix(id, digestName) {
		return id
	}
	return DigestName([]byte(id))
}

// DigestName returns the name of a message without a Message-ID: the SHA-256 of its data.
func DigestName(data []byte) string {
	sum := sha256.Sum256(data)
	return digestName + hex.EncodeToString(sum[:])
}

// IsName reports whether a request can have that name.
func IsName(s string) bool {
	if s == "" || len(s) > maxName || s[0] == '.' || strings.HasSuffix(s, ".why") || IsAnnouncement(s) {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte(".@_+=-", c) < 0:
			return false
		}
	}
	return true
}

// Return moves a file back into the spool. If a message of that name has arrived
// meanwhile, it removes the file.
func (s Spool) Return(path, name string) error {
	if err := s.make(); err != nil {
		return err
	}
	err := disk.Rename(path, s.Path(name))
	if errors.Is(err, fs.ErrExist) {
		err = disk.Remove(path)
	}
	if err != nil {
		return err
	}
	return disk.SyncDir(s.Dir())
}

// A Message is what is put into the spool, and its name there: a request for a
// reminder, which is a mail with one commit, or an announcement, see
// NewAnnouncement.
type Message struct {
	Name string
	Data []byte
}

// maxAtOnce bounds how many files are in tmp/ at a time.
const maxAtOnce = 1000

// PutAll stores messages durably and returns how many of them are new. A message whose
// name is taken is not stored. After an error some messages may be stored; to put all
// of them again is harmless. The state directory itself must exist.
func (s Spool) PutAll(messages ...Message) (isNew int, err error) {
	if err := s.Check(); err != nil || len(messages) == 0 {
		return 0, err
	}
	files := make([]disk.File, 0, len(messages))
	for _, m := range messages {
		info, err := os.Lstat(s.Path(m.Name))
		if err == nil && !info.Mode().IsRegular() {
			return 0, &fs.PathError{Op: "put", Path: s.Path(m.Name), Err: errors.New("a file that is not a message has this name")}
		}
		if err != nil {
			files = append(files, disk.File{Path: s.Path(m.Name), Data: m.Data})
		}
	}
	for some := range slices.Chunk(files, maxAtOnce) {
		n, err := disk.WriteAllNew(s.tmp(), some)
		if errors.Is(err, fs.ErrNotExist) {
			if err := s.make(); err != nil {
				return isNew, err
			}
			n, err = disk.WriteAllNew(s.tmp(), some)
		}
		isNew += n
		if err != nil {
			return isNew, err
		}
	}
	// Also for messages that were there: the process that stored them may have died
	// before it synced their names.
	return isNew, disk.SyncDir(s.Dir())
}

// WhySuffix ends the name of the file that says why a file is quarantined.
const WhySuffix = ".why"

// Quarantine moves a file of the state directory to failed/, under its name when that is
// a message's and free, and writes the reason beside it. It writes the reason first, so
// that no file in failed/ lacks one, and does not sync it: a crash can lose it, but the
// history of a message has it too.
func (s Spool) Quarantine(path, name, reason string) error {
	if err := disk.MakeDir(s.failed()); err != nil {
		return err
	}
	name, err := s.failedName(name, path)
	if err != nil {
		return err
	}
	to := filepath.Join(s.failed(), name)
	os.Remove(to + WhySuffix) // it may be a FIFO, on which a write would block
	if err := os.WriteFile(to+WhySuffix, []byte(reason+"\n"), disk.FileMode); err != nil {
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
func (s Spool) failedName(name, path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	there, err := os.Lstat(filepath.Join(s.failed(), name))
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", err
	case IsName(name) && (err != nil || os.SameFile(info, there)):
		return name, nil
	}
	sum := sha256.Sum256([]byte(path + info.ModTime().String()))
	clean := strings.Map(func(r rune) rune {
		if IsName("x"+string(r)) && r != '.' {
			return r
		}
		return '_'
	}, text.Shorten(name, 100))
	return "stray-" + strings.Trim(clean, "_") + "-" + hex.EncodeToString(sum[:8]), nil
}
