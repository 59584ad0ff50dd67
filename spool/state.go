package spool

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"vext/internal/disk"
)

// BecomeOwner changes the user of the process from root to the owner of the state
// directory, so that commands of an administrator leave no files that the service can't
// write. groups, unless nil, returns the groups of that user. For any user but root, it
// does nothing.
func BecomeOwner(state string, groups func(uid int) []int) error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid, ok := disk.Owner(state)
	if !ok || uid == 0 { // the next access reports an error
		return nil
	}
	all := []int{gid}
	if groups != nil {
		all = append(all, groups(uid)...)
	}
	if err := errors.Join(syscall.Setgroups(all), syscall.Setgid(gid), syscall.Setuid(uid)); err != nil {
		return fmt.Errorf("become the owner of %s: %w", state, err)
	}
	return nil
}

// SystemState is the default state directory if it exists and is writable.
const SystemState = "/var/spool/vext"

// DefaultState returns the state directory when none is configured: $VEXT_STATE, else
// UsualState.
func DefaultState() (string, error) {
	if dir := os.Getenv("VEXT_STATE"); dir != "" {
		return dir, nil
	}
	return UsualState()
}

// UsualState returns the state directory when neither the configuration nor $VEXT_STATE
// names one: /var/spool/vext if that is writable, else $XDG_STATE_HOME/vext or
// ~/.local/state/vext.
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

// A state directory has an identity: a random word in STATE/id, which the first
// process that writes there creates. By the identity a long-running process, or a
// configuration that names it, recognises the directory. An empty directory in its
// place, as when its file system is not mounted, must accept nothing.

// A ReplacedError says that the state directory has another identity than before, or
// than the configuration requires.
type ReplacedError struct {
	State     string
	Want, Got string // identities; Got is "" where there is none
}

func (e *ReplacedError) Error() string {
	if e.Got == "" {
		return fmt.Sprintf("%s is not the state directory that it was: it has no id, and %s is expected", e.State, e.Want)
	}
	return fmt.Sprintf("%s is not the state directory that it was: its id is %s, and %s is expected", e.State, e.Got, e.Want)
}

// IsReplaced reports whether err says that the state directory is another one.
func IsReplaced(err error) bool { return errors.As(err, new(*ReplacedError)) }

func (s Spool) idPath() string { return filepath.Join(s.state, "id") }

// ID returns the identity of the state directory, "" where it has none yet.
func (s Spool) ID() (string, error) {
	id, err := disk.ReadFile(s.idPath())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return string(bytes.TrimSpace(id)), err
}

// Adopt returns the identity of the state directory. If the directory has none, Adopt
// creates one and sets isNew: the directory is new, or was last used by a version
// without identities.
func (s Spool) Adopt() (id string, isNew bool, err error) {
	if err := s.Check(); err != nil {
		return "", false, err
	}
	if id, err = s.ID(); id != "" || err != nil {
		return id, false, err
	}
	if err := disk.MakeDir(s.tmp()); err != nil {
		return "", false, err
	}
	isNew, err = s.makeID()
	if err == nil {
		id, err = s.ID()
	}
	return id, isNew, err
}

// makeID gives the state directory an identity unless it has one.
func (s Spool) makeID() (isNew bool, err error) {
	err = disk.WriteNew(s.tmp(), s.idPath(), []byte(rand.Text()+"\n"))
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, err
}

// Expecting returns the spool restricted to accept only while its state directory has
// that identity; "" for any.
func (s Spool) Expecting(id string) Spool {
	s.id = id
	return s
}

// Check returns an error, see IsReplaced, when the state directory does not have
// the expected identity.
func (s Spool) Check() error {
	if s.id == "" {
		return nil
	}
	got, err := s.ID()
	if err == nil && got != s.id {
		err = &ReplacedError{State: s.state, Want: s.id, Got: got}
	}
	return err
}
