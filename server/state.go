package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"

	"vext/internal/disk"
	"vext/internal/hint"
	"vext/spool"
)

// A NoStateError means that the user has no state directory to work with.
type NoStateError struct{ Err error }

func (e NoStateError) Error() string { return e.Err.Error() }
func (e NoStateError) Unwrap() error { return e.Err }

// StateDir returns the path of the state directory, which exists.
func (s *Server) StateDir() (string, error) {
	state := s.State
	if state == "" && os.Getenv("VEXT_STATE") == "" {
		state = s.Config.State
	}
	isDefault := state == ""
	if isDefault {
		var err error
		if state, err = spool.DefaultState(); err != nil {
			return "", err
		}
	}
	_, err := os.Stat(state)
	if !errors.Is(err, fs.ErrNotExist) {
		return state, err
	}
	if _, err := os.Stat(spool.SystemState); isDefault && err == nil && !(s.MakeState && IsOwn(s.Config.Path)) {
		return "", hint.Wrap(NoStateError{fmt.Errorf("%s can't be written to by user %s", spool.SystemState, CurrentUser())},
			"run vext as the user that owns it (sudo -u), or name it with --state to read it")
	}
	err = fmt.Errorf("state directory: %w", err)
	makeIt := "make it: mkdir -p -m 750 " + state
	if !isDefault || os.Getenv("VEXT_STATE") != "" {
		return "", hint.Wrap(err, makeIt)
	}
	if !s.MakeState {
		return "", hint.Wrap(NoStateError{err}, makeIt)
	}
	return state, os.MkdirAll(state, disk.DirMode)
}

// IsOwn reports whether a configuration file belongs to the user, not to the
// machine.
func IsOwn(path string) bool {
	home, err := os.UserHomeDir()
	return err == nil && home != "/" && strings.HasPrefix(path, home+"/")
}

// BecomeOwner is spool.BecomeOwner. It also sets the home directory and the groups
// of the user that root becomes, as they are in a service of that user.
func BecomeOwner(state string) error {
	before := os.Geteuid()
	if err := spool.BecomeOwner(state, groupsOf); err != nil || os.Geteuid() == before {
		return err
	}
	if u, err := user.LookupId(strconv.Itoa(os.Geteuid())); err == nil {
		return os.Setenv("HOME", u.HomeDir)
	}
	return os.Unsetenv("HOME")
}

// groupsOf returns the groups of a user, none for an unknown user.
func groupsOf(uid int) []int {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return nil
	}
	ids, _ := u.GroupIds()
	var groups []int
	for _, id := range ids {
		if gid, err := strconv.Atoi(id); err == nil {
			groups = append(groups, gid)
		}
	}
	return groups
}

// CurrentUser returns the name of the user that the process runs as, also after
// BecomeOwner: user.Current remembers the user at the start of the process.
func CurrentUser() string {
	id := strconv.Itoa(os.Geteuid())
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	if u, err := user.Current(); err == nil && u.Uid == id { // $USER, of a user not in /etc/passwd
		return u.Username
	}
	return "uid " + id
}
