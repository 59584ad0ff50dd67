package irc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"golang.org/x/net/proxy"

	"vext/internal/target"
)

// A DialFunc connects to an address, as net.Dialer's DialContext does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// dialTimeout is how long the connection, the proxy's and the TLS handshake may
// take together.
const dialTimeout = 30 * time.Second

// connect opens a connection to a server, with TLS where the target has it. The
// certificate must be the server's.
func (s *Settings) connect(ctx context.Context, dial DialFunc, t *target.Target) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if s.Proxy != "" {
		through, err := throughProxy(s.Proxy, dial)
		if err != nil {
			return nil, err
		}
		dial = through
	}
	conn, err := dial(ctx, "tcp", t.Server())
	if err != nil {
		return nil, err
	}
	if !t.TLS {
		return conn, nil
	}
	c := s.TLS.Clone()
	c.ServerName = t.Host
	secure := tls.Client(conn, c)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS with %s: %w", t.Server(), err)
	}
	return secure, nil
}

// throughProxy returns a dial that goes through a SOCKS5 proxy, which also
// resolves the name (RFC 1928).
func throughProxy(via string, dial DialFunc) (DialFunc, error) {
	u, err := url.Parse(via)
	if err != nil {
		return nil, errors.New("proxy: not a URL")
	}
	var auth *proxy.Auth
	if u.User != nil {
		password, _ := u.User.Password()
		auth = &proxy.Auth{User: u.User.Username(), Password: password}
	}
	socks, err := proxy.SOCKS5("tcp", u.Host, auth, forward{dial})
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	withContext, ok := socks.(proxy.ContextDialer)
	if !ok {
		return nil, errors.New("proxy: its dialer has no context")
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := withContext.DialContext(ctx, network, address)
		if err != nil {
			return nil, fmt.Errorf("through the proxy %s: %w", u.Host, err)
		}
		return conn, nil
	}, nil
}

// forward is a DialFunc as package proxy wants it.
type forward struct{ dial DialFunc }

func (f forward) Dial(network, address string) (net.Conn, error) {
	return f.dial(context.Background(), network, address)
}

func (f forward) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f.dial(ctx, network, address)
}

// maxLine bounds what a server can make us keep: 8191 bytes of tags (IRCv3, message-tags)
// and 512 of the message, and some more, for servers that exceed that.
const maxLine = 32 << 10
