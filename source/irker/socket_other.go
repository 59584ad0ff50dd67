//go:build !linux

package irker

import "net"

// setBuffer sets the size of the receive buffer.
func setBuffer(c *net.UDPConn, size int) bool { return c.SetReadBuffer(size) == nil }

// countDropped returns no room: these systems do not say what they drop.
func countDropped(*net.UDPConn) []byte { return nil }

func droppedIn([]byte) (count uint32, ok bool) { return 0, false }
