//go:build !linux

package irker

import "net"

// countDropped returns no buffer: these systems do not report dropped datagrams.
func countDropped(*net.UDPConn) []byte { return nil }

func droppedIn([]byte) (count uint32, ok bool) { return 0, false }
