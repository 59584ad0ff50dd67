package irc

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"vext/internal/target"
)

// Settings are how to speak on one network.
type Settings struct {
	Nick           string // a * stands for the number of a further nick
	User, Realname string
	Notice         bool // NOTICE instead of PRIVMSG
	NoColors       bool // take colours out

	Burst int     // lines at once
	Rate  float64 // lines a second after that; 0 for no bound

	BacklogLines int           // longer is told in one line; 0 for never
	BacklogAge   time.Duration // older is told in one line; 0 for never

	Connections int    // to the network, at most
	Proxy       string // URL of a SOCKS5 proxy, "" for none

	TLS *tls.Config // roots and certificate; the server's name is set when connecting

	SASL              string // PLAIN, EXTERNAL, or "" for none
	NickServ          bool   // identify to NickServ
	Account, Password string
	ServerPassword    string
}

// Default returns the settings of a network about which nothing is said.
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

// Bounds of a nick's length until the server tells its own: what every server
// allows (RFC 2812, section 1.2.1), and more than most do.
const (
	nickLeast = 9
	nickMax   = 30
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

// errTold says what the server said when it refused.
type errTold struct{ what, said string }

func (e *errTold) Error() string {
	if e.said == "" {
		return e.what
	}
	return e.what + ": " + e.said
}

// serverOf returns what connections are shared by: the address and who comes.
func serverOf(t *target.Target) string {
	return t.Network() + " " + t.User + " " + t.Password
}

var errNoSASL = errors.New("sasl: the server does not offer it; nothing is told to a network that vext can't log in to")
