package irker

import (
	"encoding/binary"
	"net"

	"golang.org/x/sys/unix"
)

// countDropped asks the system to attach the count of dropped datagrams to each that
// is read (SO_RXQ_OVFL, socket(7)). It returns a buffer for the count, none where the
// system does not support this.
func countDropped(c *net.UDPConn) (oob []byte) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	raw.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1) == nil {
			oob = make([]byte, unix.CmsgSpace(4))
		}
	})
	return oob
}

// droppedIn returns the count that came with a datagram. The system leaves it out as
// long as it is zero.
func droppedIn(oob []byte) (count uint32, ok bool) {
	all, _ := unix.ParseSocketControlMessage(oob)
	for _, m := range all {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_RXQ_OVFL && len(m.Data) >= 4 {
			return binary.NativeEndian.Uint32(m.Data), true
		}
	}
	return 0, false
}
