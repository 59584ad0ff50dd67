package irker

import "net"

// Bounds of the receive buffer to ask the system for, in bytes. The buffer holds the
// datagrams that have not been read yet; the system drops those that do not fit.
const (
	maxBuffer = 8 << 20
	minBuffer = 256 << 10
)

// A socket reads datagrams. On Linux it also counts the datagrams that the system
// dropped before they could be read.
type socket struct {
	net.PacketConn
	udp  *net.UDPConn // the same, or nil
	oob  []byte
	seen uint32 // the system's count of dropped datagrams
}

// newSocket returns a socket with as large a buffer as the system allows.
func newSocket(p net.PacketConn) *socket {
	s := &socket{PacketConn: p}
	if s.udp, _ = p.(*net.UDPConn); s.udp == nil {
		return s
	}
	for size := maxBuffer; size >= minBuffer && !setBuffer(s.udp, size); size /= 2 {
	}
	s.oob = countDropped(s.udp)
	return s
}

// read reads a datagram, and returns how many the system has dropped since the previous
// one.
func (s *socket) read(buf []byte) (n int, from net.Addr, dropped int, err error) {
	if len(s.oob) == 0 {
		n, from, err = s.ReadFrom(buf)
		return n, from, 0, err
	}
	n, oobn, _, addr, err := s.udp.ReadMsgUDP(buf, s.oob)
	if err != nil {
		return 0, nil, 0, err
	}
	if count, ok := droppedIn(s.oob[:oobn]); ok {
		dropped = int(count - s.seen) // the count wraps at 2^32
		s.seen = count
	}
	return n, addr, dropped, nil
}
