package lmtp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"syscall"

	"vext/internal/conns"
)

// socketMode lets the owner's group in: the mail system's user is to be in it.
const socketMode = 0o660

// Listen is net.Listen for "tcp", and for "unix" with what a service needs: a
// socket that nobody listens at, which a crash left behind, is replaced, the
// group may connect, and the listener removes the socket when it is closed.
func Listen(network, address string) (net.Listener, error) {
	if network != "unix" {
		return net.Listen(network, address)
	}
	if err := removeStale(address); err != nil {
		return nil, err
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(address, socketMode); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
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
		return fmt.Errorf("listen at %s: something that is no socket is in the way", path)
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

// A listener accepts no more connections at once than mostConns. With all of
// them taken, the client that has sent nothing for longest makes room; its mail
// comes again.
type listener struct {
	net.Listener
	ctx context.Context
}

func newListener(ctx context.Context, l net.Listener, log *slog.Logger) *listener {
	limit := conns.New(mostConns, slowAfter, func(net.Addr) { log.Debug("lmtp: too many clients at once, the slowest is cut off") })
	return &listener{limit.Listener(l), ctx}
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newConn(l.ctx, c), nil
}
