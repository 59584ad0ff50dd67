//go:build !linux

package irker

import "net"

// setBuffer sets the size of the receive buffer.
func setBuffer(c *net.UDPConn, size int) bool { return c.SetReadBuffer(size) == nil }

// countDropped returns no buffer: these systems do not report dropped datagrams.
func countDropped(*net.UDPConn) []byte { return nil }

func droppedIn([]byte) (count uint32, ok bool) { return 0, false }
