package irc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/proxy"

	"vext/internal/target"
)

// Settings are the settings of one network.
type Settings struct {
	Nick           string // * stands for the number of a further nick
	User, Realname string
	Notice         bool // NOTICE instead of PRIVMSG
	NoColors       bool // remove colours

	Burst int     // lines sent at once
	Rate  float64 // lines a second after that; 0 for no bound

	BacklogLines int           // a longer backlog is summarized; 0 for never
	BacklogAge   time.Duration // an older backlog is summarized; 0 for never

	Connections int    // to the network, at most
	Proxy       string // URL of a SOCKS5 proxy, "" for none

	TLS *tls.Config // roots and certificate; the server's name is set when connecting

	SASL              string // PLAIN, EXTERNAL, or "" for none
	NickServ          bool   // identify to NickServ
	Account, Password string
	ServerPassword    string
}

// Default returns the settings of a network that is not configured.
func Default() Settings {
	return Settings{
		Nick: "vext", User: "vext", Realname: "commit notices",
		Burst: 5, Rate: 2, BacklogLines: 50, BacklogAge: time.Hour, Connections: 3,
		TLS: &tls.Config{MinVersion: tls.VersionTLS12},
	}
}

// TLSConfig reads the files of certificates: ca are those to trust instead of
// the system's, certificate and key those of one's own. Each may be empty; a
// certificate without a key has it in the same file.
func TLSConfig(ca, certificate, key string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		data, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("%s: no certificate in PEM", ca)
		}
	}
	if certificate != "" {
		if key == "" {
			key = certificate
		}
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", certificate, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// The length of a nick before the server announces its maximum: what every server allows
// (RFC 2812, section 1.2.1), and what most allow.
const (
	minNickLen   = 9
	usualNickLen = 30
)

// nick returns the n-th nick of the pattern, n from 0, of at most most bytes:
// vext, vext1, vext2.
func (s *Settings) nick(n, most int) string {
	number := ""
	if n > 0 {
		number = strconv.Itoa(n)
	}
	before, after, ok := strings.Cut(s.Nick, "*")
	if !ok {
		before, after = s.Nick, ""
	}
	if over := len(before) + len(number) + len(after) - most; over > 0 {
		before = before[:max(1, len(before)-over)]
	}
	return before + number + after
}

// A DialFunc connects to an address, as net.Dialer's DialContext does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Dial and DialContext are what package proxy needs.
func (d DialFunc) Dial(network, address string) (net.Conn, error) {
	return d(context.Background(), network, address)
}

func (d DialFunc) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d(ctx, network, address)
}

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
	if t.Scheme != target.IRCS {
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

// throughProxy returns a dial that goes through a SOCKS5 proxy, which also resolves the
// name (RFC 1928).
func throughProxy(via string, dial DialFunc) (DialFunc, error) {
	u, err := url.Parse(via)
	if err != nil {
		return nil, errors.New("proxy: not a URL")
	}
	socks, err := proxy.FromURL(u, dial)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := socks.(proxy.ContextDialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, fmt.Errorf("through the proxy %s: %w", u.Host, err)
		}
		return conn, nil
	}, nil
}
