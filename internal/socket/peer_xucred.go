//go:build freebsd || darwin

package socket

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// PeerKnown is whether Peer works on this system.
const PeerKnown = true

// xucredVersion is XUCRED_VERSION of <sys/ucred.h>, on both systems.
const xucredVersion = 0

// peer returns the user of LOCAL_PEERCRED, unix(4).
func peer(fd int) (uint32, error) {
	cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return 0, os.NewSyscallError("getsockopt LOCAL_PEERCRED", err)
	}
	if cred.Version != xucredVersion {
		return 0, errors.New("getsockopt LOCAL_PEERCRED: unknown version")
	}
	return cred.Uid, nil
}
