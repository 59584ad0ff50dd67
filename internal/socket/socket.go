// Package socket is how processes of this machine reach each other: it listens at Unix
// sockets, returns which user is at the other end of a connection, and carries requests
// and answers, each one line of JSON.
package socket

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"vext/internal/backoff"
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

// stepTime is how long a client may take to send its request, and to take the answer.
const stepTime = 5 * time.Second

var past = time.Unix(1, 0)

// Serve calls handle for each connection to l, in a goroutine of its own, until ctx ends,
// and returns when all calls have returned. It closes the connections and l. A request
// that has not come after a few seconds, or when ctx ends, can't be read any more.
func Serve(ctx context.Context, l *net.UnixListener, handle func(ctx context.Context, conn *net.UnixConn)) error {
	ctx, cancel := context.WithCancel(ctx)
	var conns sync.WaitGroup
	defer conns.Wait()
	defer cancel()
	closed := context.AfterFunc(ctx, func() { l.Close() })
	defer closed()
	for {
		conn, err := l.AcceptUnix()
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return nil
		}
		if err != nil {
			return err
		}
		conns.Go(func() {
			defer conn.Close()
			ended := context.AfterFunc(ctx, func() { conn.SetReadDeadline(past) })
			defer ended()
			late := time.AfterFunc(stepTime, func() { conn.SetReadDeadline(past) })
			defer late.Stop()
			handle(ctx, conn)
		})
	}
}

// retryPause is how long ServeOn waits after an error.
const retryPause = time.Second

// ServeOn is Serve, and goes on after an error, such as that of too many open files, which
// warn gets.
func ServeOn(ctx context.Context, l *net.UnixListener, handle func(ctx context.Context, conn *net.UnixConn), warn func(error)) {
	for {
		err := Serve(ctx, l, handle)
		if ctx.Err() != nil {
			return
		}
		warn(err)
		if backoff.Sleep(ctx, retryPause) != nil {
			return
		}
	}
}

// ErrTooLong says that a request or an answer has more bytes than are allowed.
var ErrTooLong = errors.New("too long")

// Read reads one line of at most limit bytes, which is JSON, into v.
func Read(from io.Reader, limit int64, v any) error {
	bounded := &io.LimitedReader{R: from, N: limit}
	line, err := bufio.NewReader(bounded).ReadBytes('\n')
	switch {
	case errors.Is(err, io.EOF) && bounded.N == 0:
		return ErrTooLong
	case errors.Is(err, io.EOF) && len(line) > 0:
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	}
	return json.Unmarshal(line, v)
}

// Write writes v as one line of JSON. It gives up when the other end does not read.
func Write(to net.Conn, v any) error {
	late := time.AfterFunc(stepTime, func() { to.SetWriteDeadline(past) })
	defer late.Stop()
	return json.NewEncoder(to).Encode(v)
}

// Dial connects to the socket at path. The error is fs.ErrNotExist or
// syscall.ECONNREFUSED when nobody listens there.
func Dial(ctx context.Context, path string) (net.Conn, error) {
	short, done, err := shorten(path)
	if err != nil {
		return nil, err
	}
	defer done()
	return new(net.Dialer).DialContext(ctx, "unix", short)
}

// Call connects to the socket at path as Dial does, writes a request and reads the answer,
// each one line of JSON, the answer of at most limit bytes.
func Call(ctx context.Context, path string, limit int64, request, answer any) error {
	conn, err := Dial(ctx, path)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(past) })
	defer stop()
	// A busy server answers without reading the request. Its answer counts, and not
	// the write error.
	writeErr := Write(conn, request)
	if err := Read(conn, limit, answer); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("no answer: %w", errors.Join(writeErr, err))
	}
	return nil
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

// IsOurs reports whether the process at the other end is of this user, or of root, as far as
// the system reports that.
func IsOurs(conn *net.UnixConn) bool {
	uid, err := Peer(conn)
	return !PeerKnown || err == nil && (uid == 0 || int(uid) == os.Geteuid())
}

// minUsers is the number of users from which on a namespace counts as not hiding
// the others. systemd's PrivateUsers= leaves two: root and the service's own.
const minUsers = 1000

// SeesUsers returns ErrUsersHidden in a user namespace that hides the other users
// of the machine. Only Linux has them.
func SeesUsers() error {
	f, err := os.Open("/proc/self/uid_map")
	if errors.Is(err, fs.ErrNotExist) { // no /proc, or no namespaces: another system
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	for users := uint64(0); ; {
		var inside, outside, count uint64
		if _, err := fmt.Fscan(f, &inside, &outside, &count); err != nil {
			return ErrUsersHidden
		}
		if users += count; users >= minUsers {
			return nil
		}
	}
}
