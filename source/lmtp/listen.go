package lmtp

import (
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

// limited returns a listener for at most maxConns connections at once. When all are in use,
// it disconnects the client that has been silent for longest; that client sends its mail
// again later.
func limited(l net.Listener, log *slog.Logger) net.Listener {
	limit := conns.New(maxConns, slowAfter, func(net.Addr) { log.Debug("lmtp: too many clients; the slowest is disconnected") })
	return limit.Listener(l)
}
