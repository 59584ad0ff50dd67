// Package spool is where a message is handed over: once Put has returned, it
// is on disk, whole, under a name made from its Message-ID.
package spool

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"vext/internal/disk"
)

// A Spool is a state directory as those see it who put messages into it and
// take them out.
type Spool struct {
	state string
	id    string // that the state directory must have; "" for any
}

// New returns the spool of a state directory. Nothing is read or made yet.
func New(state string) Spool { return Spool{state: state} }

// Dir returns the directory of the messages that have no day yet.
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

// CanWrite tries whether there is room for a message, and leaves nothing behind.
// Before the first message there is nothing to try it in.
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
		s.makeID() // where this user may not, a run does it
	}
	return nil
}

// sweepAge is how old a file in tmp/ must be to be one that a crash left
// behind. No mail system keeps a delivery open for so long.
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

// isBeingWritten reports whether the process that named a file in tmp/ is still
// alive.
func isBeingWritten(name string) bool {
	before, _, _ := strings.Cut(name, ".")
	pid, err := strconv.Atoi(before)
	if err != nil || pid <= 0 {
		return false
	}
	return !errors.Is(unix.Kill(pid, 0), unix.ESRCH)
}

// maxName is the longest Message-ID that is a file name as it is; file
// systems take 255 bytes, and failed/ adds an ending.
const maxName = 200

// digestName begins the names that are digests.
const digestName = "sha256-"

// Name returns the name of the message with that Message-ID: the ID itself,
// without its angle brackets, when it can stand as a file name, else its
// SHA-256. An ID that looks like one of our digests, or like the reason beside
// a message in failed/, is digested too, so that no two IDs share a name.
func Name(id string) string {
	id = strings.TrimSuffix(strings.TrimPrefix(id, "<"), ">")
	if IsName(id) && !strings.HasPrefix(id, digestName) {
		return id
	}
	return DigestName([]byte(id))
}

// DigestName returns the name of a message without a Message-ID, made from its
// bytes.
func DigestName(data []byte) string {
	sum := sha256.Sum256(data)
	return digestName + hex.EncodeToString(sum[:])
}

// IsName reports whether a file of that name can be a message.
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

// BecomeOwner gives up root for the owner of the state directory, so that what
// an administrator does by hand leaves no file behind that the service, which
// runs as another user, can't touch. groups, unless nil, returns the groups that
// this user is a member of. It does nothing for any other user than root.
func BecomeOwner(state string, groups func(uid int) []int) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(state)
	if err != nil {
		return nil // whoever needs it will say so
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return nil
	}
	uid, gid := int(owner.Uid), int(owner.Gid)
	all := []int{gid}
	if groups != nil {
		all = append(all, groups(uid)...)
	}
	if err := errors.Join(syscall.Setgroups(all), syscall.Setgid(gid), syscall.Setuid(uid)); err != nil {
		return fmt.Errorf("become the owner of %s: %w", state, err)
	}
	return nil
}

// SystemState is used where it exists and can be written to.
const SystemState = "/var/spool/vext"

// DefaultState returns the state directory where none is configured:
// $VEXT_STATE, else /var/spool/vext where that can be written, else
// $XDG_STATE_HOME/vext or ~/.local/state/vext.
func DefaultState() (string, error) {
	if dir := os.Getenv("VEXT_STATE"); dir != "" {
		return dir, nil
	}
	return UsualState()
}

// UsualState returns the state directory where neither the configuration nor the
// environment names one.
func UsualState() (string, error) {
	if unix.Access(SystemState, unix.W_OK) == nil {
		return SystemState, nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "vext"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no state directory: %w", err)
	}
	return filepath.Join(home, ".local", "state", "vext"), nil
}

// Return moves a file back into the spool. When one of that name has come in
// the meantime, that one stands.
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
