package lmtp

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestListen(t *testing.T) {
	dir, err := os.MkdirTemp("", "lmtp")
	ok(t, err)
	defer os.RemoveAll(dir)
	for _, test := range []struct {
		name  string
		there func(path string) // before
		err   string
	}{
		{"nothing", func(string) {}, ""},
		{"left by a crash", func(path string) {
			l, err := net.Listen("unix", path)
			ok(t, err)
			l.(*net.UnixListener).SetUnlinkOnClose(false)
			l.Close()
		}, ""},
		{"another", func(path string) {
			l, err := net.Listen("unix", path)
			ok(t, err)
			t.Cleanup(func() { l.Close() })
		}, "another process listens there"},
		{"file", func(path string) { ok(t, os.WriteFile(path, []byte("x"), 0o600)) }, "something that is no socket is in the way"},
		{"directory", func(path string) { ok(t, os.Mkdir(path, 0o700)) }, "something that is no socket is in the way"},
		{"link", func(path string) { ok(t, os.Symlink("nowhere", path)) }, "something that is no socket is in the way"},
		{"no/directory", func(string) {}, "no such file or directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(dir, test.name)
			test.there(path)
			l, err := Listen("unix", path)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || !strings.Contains(err.Error(), path) {
					t.Errorf("%v, want %s", err, test.err)
				}
				return
			}
			ok(t, err)
			info, err := os.Lstat(path)
			ok(t, err)
			if got := info.Mode().Perm(); got != socketMode {
				t.Errorf("its mode is %v", got)
			}
			if _, err := Listen("unix", path); err == nil {
				t.Error("a second one listens there")
			}
			ok(t, l.Close())
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("closed, and still there: %v", err)
			}
		})
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
