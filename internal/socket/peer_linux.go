package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// PeerKnown is whether Peer works on this system.
const PeerKnown = true

// peer returns the user of SO_PEERCRED, unix(7).
func peer(fd int) (uint32, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, os.NewSyscallError("getsockopt SO_PEERCRED", err)
	}
	return cred.Uid, nil
}

// minUsers is the number of users from which on a namespace counts as not hiding
// the others. systemd's PrivateUsers= leaves two: root and the service's own.
const minUsers = 1000

// SeesUsers returns ErrUsersHidden in a user namespace that hides the other users
// of the machine.
func SeesUsers() error {
	f, err := os.Open("/proc/self/uid_map")
	if errors.Is(err, fs.ErrNotExist) { // no /proc, or no namespaces
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	for users := uint64(0); ; {
		var inside, outside, count uint64
		if _, err := fmt.Fscan(f, &inside, &outside, &count); err != nil {
			return ErrUsersHidden
		}
		if users += count; users >= minUsers {
			return nil
		}
	}
}
