// Package socket is how processes of this machine reach each other: it listens at Unix
// sockets, returns which user is at the other end of a connection, and carries requests
// and answers, each one line of JSON.
package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// MaxPath is how long the path of a socket may be on every system, in bytes
// (sockaddr_un).
const MaxPath = 100

// Listen listens at path and gives the socket that mode, whatever the umask. It
// replaces a stale socket, which a crash left behind; anything else at path is an
// error. The listener removes the socket when it is closed.
func Listen(path string, mode fs.FileMode) (*net.UnixListener, error) {
	short, done, err := shorten(path)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := removeStale(short); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if short != path {
		l.SetUnlinkOnClose(false) // by then short names nothing, or something else
	}
	if err := os.Chmod(path, mode); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// shorten returns a path by which the system takes the socket at path. One that is too
// long goes through its open directory, where the system has /proc; done closes that.
func shorten(path string) (short string, done func(), err error) {
	if len(path) <= MaxPath {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), func() { dir.Close() }, nil
}

// removeStale removes a socket at which nobody listens, and nothing else.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("listen at %s: a file that is not a socket exists there", path)
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
		return fmt.Errorf("listen at %s: another process listens there", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// ErrNoPeer says that the system does not report which user connects.
var ErrNoPeer = errors.New("this system does not report which user connects to a socket")

// ErrUsersHidden says that the process is in a user namespace that hides the other
// users of the machine: there each of them has the user ID of nobody.
var ErrUsersHidden = errors.New("the service runs in a user namespace, which hides the users who connect")

// Peer returns the effective user ID that the process at the other end had when
// it connected. The error is ErrNoPeer where PeerKnown is false.
func Peer(conn *net.UnixConn) (uid uint32, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	controlErr := raw.Control(func(fd uintptr) { uid, err = peer(int(fd)) })
	return uid, errors.Join(controlErr, err)
}
