package lmtp

import (
	"context"
	"log/slog"
	"net"

	"vext/internal/conns"
	"vext/internal/socket"
)

// socketMode allows the owner's group, of which the mail system's user is a member.
const socketMode = 0o660

// Listen is net.Listen for "tcp", and socket.Listen for "unix", where the group
// may connect.
func Listen(network, address string) (net.Listener, error) {
	if network != "unix" {
		return net.Listen(network, address)
	}
	return socket.Listen(address, socketMode)
}

// A listener accepts at most maxConns connections at once. When all are in use, it
// disconnects the client that has been silent for longest; that client sends its mail
// again later.
type listener struct {
	net.Listener
	ctx context.Context
}

func newListener(ctx context.Context, l net.Listener, log *slog.Logger) *listener {
	limit := conns.New(maxConns, slowAfter, func(net.Addr) { log.Debug("lmtp: too many clients; the slowest is disconnected") })
	return &listener{limit.Listener(l), ctx}
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newConn(l.ctx, c), nil
}
