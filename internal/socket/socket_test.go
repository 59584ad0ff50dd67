package socket

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestListen(t *testing.T) {
	dir, err := os.MkdirTemp("", "socket")
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
		{"file", func(path string) { ok(t, os.WriteFile(path, []byte("x"), 0o600)) }, "a file that is not a socket exists there"},
		{"directory", func(path string) { ok(t, os.Mkdir(path, 0o700)) }, "a file that is not a socket exists there"},
		{"link", func(path string) { ok(t, os.Symlink("nowhere", path)) }, "a file that is not a socket exists there"},
		{"no/directory", func(string) {}, "no such file or directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(dir, test.name)
			test.there(path)
			l, err := Listen(path, 0o660)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || !strings.Contains(err.Error(), path) {
					t.Errorf("%v, want %s", err, test.err)
				}
				return
			}
			ok(t, err)
			info, err := os.Lstat(path)
			ok(t, err)
			if got := info.Mode().Perm(); got != 0o660 {
				t.Errorf("its mode is %v", got)
			}
			if _, err := Listen(path, 0o660); err == nil {
				t.Error("a second one listens there")
			}
			ok(t, l.Close())
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("closed, and still there: %v", err)
			}
		})
	}
}

// The process at the other end is this one.
func TestPeer(t *testing.T) {
	if !PeerKnown {
		t.Skip(ErrNoPeer)
	}
	dir, err := os.MkdirTemp("", "socket")
	ok(t, err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	l, err := Listen(path, 0o600)
	ok(t, err)
	defer l.Close()
	client, err := net.Dial("unix", path)
	ok(t, err)
	defer client.Close()
	conn, err := l.AcceptUnix()
	ok(t, err)
	defer conn.Close()
	if uid, err := Peer(conn); err != nil || int(uid) != os.Geteuid() {
		t.Errorf("user %d, %v", uid, err)
	}
	if !IsOurs(conn) {
		t.Error("we are strangers")
	}
	conn.Close()
	if _, err := Peer(conn); err == nil || IsOurs(conn) {
		t.Error("a closed connection has a peer")
	}
}

// Where the machine's users can be seen, that is no error; where the process is
// alone in a namespace, as with systemd's PrivateUsers=, it is.
func TestSeesUsers(t *testing.T) {
	if os.Getenv("SEES_USERS") != "" { // below, in a namespace
		if err := SeesUsers(); !errors.Is(err, ErrUsersHidden) {
			t.Errorf("users can't be seen, and the error is %v", err)
		}
		return
	}
	if err := SeesUsers(); err != nil {
		t.Skip(err) // this is one already
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip("unshare is not installed")
	}
	if exec.Command(unshare, "--user", "--map-root-user", "true").Run() != nil {
		t.Skip("no user namespaces here")
	}
	self, err := os.Executable()
	ok(t, err)
	cmd := exec.Command(unshare, "--user", "--map-root-user", self, "-test.run", "^TestSeesUsers$")
	cmd.Env = append(os.Environ(), "SEES_USERS=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// An error of accept does not end ServeOn.
func TestServeOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path, 0o600)
	ok(t, err)
	ok(t, l.SetDeadline(past))
	var warned []error
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		ServeOn(ctx, l, func(_ context.Context, conn *net.UnixConn) { Write(conn, "answer") }, func(err error) {
			warned = append(warned, err)
			l.SetDeadline(time.Time{})
		})
	}()
	answer := ""
	ok(t, Call(ctx, path, 100, "request", &answer))
	cancel()
	<-done
	if answer != "answer" || len(warned) != 1 || !errors.Is(warned[0], os.ErrDeadlineExceeded) {
		t.Errorf("%q, %v", answer, warned)
	}
}
