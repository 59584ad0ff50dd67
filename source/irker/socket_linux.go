package irker

import (
	"encoding/binary"
	"net"

	"golang.org/x/sys/unix"
)

// setBuffer sets the size of the receive buffer. With CAP_NET_ADMIN, it can exceed
// net.core.rmem_max (socket(7)).
func setBuffer(c *net.UDPConn, size int) bool {
	forced := false
	control(c, func(fd int) { forced = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) == nil })
	return forced || c.SetReadBuffer(size) == nil
}

// countDropped asks the system to attach the count of dropped datagrams to each that
// is read (SO_RXQ_OVFL, socket(7)). It returns a buffer for the count, none where the
// system does not support this.
func countDropped(c *net.UDPConn) (oob []byte) {
	control(c, func(fd int) {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1) == nil {
			oob = make([]byte, unix.CmsgSpace(4))
		}
	})
	return oob
}

func control(c *net.UDPConn, do func(fd int)) {
	if raw, err := c.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { do(int(fd)) })
	}
}

// droppedIn returns the count that came with a datagram. The system leaves it out as
// long as it is zero.
func droppedIn(oob []byte) (count uint32, ok bool) {
	all, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, false
	}
	for _, m := range all {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_RXQ_OVFL && len(m.Data) >= 4 {
			return binary.NativeEndian.Uint32(m.Data), true
		}
	}
	return 0, false
}
