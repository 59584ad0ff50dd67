package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"vext/internal/disk"

	"golang.org/x/sys/unix"
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
