package testkit

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
	"time"
)

// FreeAddr returns an address of a host at which nobody listens. Its port is
// below those that systems give to whoever connects somewhere: the many attempts
// at a server that is away would take it meanwhile.
func FreeAddr(t testing.TB, host string) string {
	t.Helper()
	for range 100 {
		// Who listened to find out would share the port for a moment with the
		// programs that other tests start just now.
		addr := net.JoinHostPort(host, strconv.Itoa(10_000+rand.N(20_000)))
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return addr
		}
		conn.Close()
	}
	t.Fatalf("no port is free on %s", host)
	return ""
}

// Listens waits until somebody takes connections at an address.
func Listens(addr string, patience time.Duration) bool {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return true
		}
	}
	return false
}

// Port returns the port of an address.
func Port(addr string) int {
	_, p, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(p)
	return n
}
