package lmtp

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// The group may connect, of which the mail system's user is a member.
func TestListenUnix(t *testing.T) {
	dir, err := os.MkdirTemp("", "lmtp")
	ok(t, err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "socket")
	l, err := Listen("unix", path)
	ok(t, err)
	defer l.Close()
	info, err := os.Lstat(path)
	ok(t, err)
	if got := info.Mode().Perm(); got != socketMode {
		t.Errorf("its mode is %v", got)
	}
}

func TestListenTCP(t *testing.T) {
	l, err := Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	h := open(t)
	h.close()
	h = &house{t: t, state: h.state, filter: h.filter, log: h.log, done: make(chan error, 1)}
	h.serve(l)
	conn, err := net.Dial("tcp", l.Addr().String())
	ok(t, err)
	c := newClient(t, conn)
	c.ask("LHLO x", "250")
	c.mail(asks("a@b"), "250")
	h.wantSpooled("a@b")
}
