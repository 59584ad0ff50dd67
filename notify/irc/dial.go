package irc

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/lrstanley/girc"
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
// looks up the name (RFC 1928).
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
		return nil, errors.New("proxy: it can't be ended")
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

// longestLine bounds what a server can make us keep: 8191 bytes of tags
// (IRCv3's message-tags) and 512 of the message, with room for servers that
// allow themselves more.
const longestLine = 32 << 10

// A guarded connection hands on only what girc can bear: no line without an
// end, none that it can't parse, after which it would hang up, and no CTCP, which
// it would answer: any stranger could make us flood. A write that is not taken
// in time ends the connection, be it ours or girc's.
type guarded struct {
	net.Conn
	now  func() time.Time
	in   *bufio.Reader
	line []byte // what is left of the line that is handed on
}

func newGuarded(conn net.Conn, now func() time.Time) *guarded {
	return &guarded{Conn: conn, now: now, in: bufio.NewReaderSize(conn, longestLine)}
}

const ctcp = 0x01 // the delimiter

func (g *guarded) Read(p []byte) (int, error) {
	for len(g.line) == 0 {
		line, err := g.in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return 0, fmt.Errorf("the server sent a line of more than %d bytes", longestLine)
		}
		if err != nil {
			return 0, err
		}
		if girc.ParseEvent(string(line)) != nil {
			g.line = bytes.ReplaceAll(line, []byte{ctcp}, []byte{' '})
		}
	}
	n := copy(p, g.line)
	g.line = g.line[n:]
	return n, nil
}

func (g *guarded) Write(p []byte) (int, error) {
	if err := g.SetWriteDeadline(g.now().Add(writeTime)); err != nil {
		return 0, err
	}
	return g.Conn.Write(p)
}
