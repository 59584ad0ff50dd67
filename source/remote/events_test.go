package remote

import (
	"net"
	"path/filepath"
	"testing"
)

// A reader that has no more to write still reads; one that is closed does not.
func TestHasGone(t *testing.T) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	ok(t, err)
	defer l.Close()
	client, err := net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
	ok(t, err)
	conn, err := l.AcceptUnix()
	ok(t, err)
	defer conn.Close()
	for _, step := range []struct {
		do   func() error
		gone bool
	}{{func() error { return nil }, false}, {client.CloseWrite, false}, {client.Close, true}} {
		ok(t, step.do())
		if gone := hasGone(conn); gone != step.gone {
			t.Errorf("%v, want %v", gone, step.gone)
		}
	}
}
