//go:build !linux && !freebsd && !darwin

package socket

// PeerKnown is whether Peer works on this system. OpenBSD and NetBSD have calls
// for it that golang.org/x/sys/unix does not offer.
const PeerKnown = false

func peer(int) (uint32, error) { return 0, ErrNoPeer }
