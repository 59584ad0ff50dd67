package socket

import (
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
