package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"vext/internal/target"
)

// An XMPP is the account with which vext logs in.
type XMPP struct {
	JID          string `toml:"jid"`
	Password     string `toml:"password"`
	PasswordFile string `toml:"password_file"`
	Server       string `toml:"server"` // host:port; "" for the SRV records of the domain
	CA           string `toml:"ca"`     // file of certificates to trust
	Resource     string `toml:"resource"`
	Nick         string `toml:"nick"` // in rooms
}

// maxWord bounds the resource and the nick, in bytes (RFC 7622, section 3.4).
const maxWord = 1023

// checkXMPP checks [xmpp], and that it is there when something needs it.
func (c *Config) checkXMPP() error {
	if err := c.XMPP.check(); err != nil {
		return fmt.Errorf("xmpp: %w", err)
	}
	if c.XMPP.JID != "" {
		return nil
	}
	for i := range c.Announce {
		if slices.ContainsFunc(c.Announce[i].To, isXMPP) {
			return fmt.Errorf("announce %d: to: %w", i+1, errNoXMPP)
		}
	}
	for i := range c.Routes {
		if slices.ContainsFunc(c.Routes[i].To, isXMPP) {
			return fmt.Errorf("route %d: to: %w", i+1, errNoXMPP)
		}
	}
	if slices.ContainsFunc(c.Irker.Allow, isXMPP) {
		return fmt.Errorf("irker.allow: %w", errNoXMPP)
	}
	return nil
}

var errNoXMPP = errors.New("an xmpp: target needs the account that sends: set jid and password (or password_file) under [xmpp]")

func isXMPP(url string) bool { return target.Protocol(url) == target.XMPP }

func (x *XMPP) check() error {
	if err := cmp.Or(expandHome("password_file", &x.PasswordFile), expandHome("ca", &x.CA)); err != nil {
		return err
	}
	switch {
	case *x == XMPP{}:
		return nil
	case x.JID == "":
		return errors.New("jid is missing: the account with which vext logs in, such as \"vext@example.org\"")
	case x.Password != "" && x.PasswordFile != "":
		return errors.New("password and password_file are both set")
	case x.Password == "" && x.PasswordFile == "":
		return errors.New("password (or password_file) is missing")
	case x.CA != "" && !filepath.IsAbs(x.CA):
		return fmt.Errorf("ca: needs an absolute path, not %q", x.CA)
	}
	if _, _, err := target.JID(strings.TrimPrefix(x.JID, "xmpp:")); err != nil {
		return fmt.Errorf("jid: %w: %q", err, x.JID)
	}
	if x.Server != "" {
		host, port, err := net.SplitHostPort(x.Server)
		if n, portErr := net.LookupPort("tcp", port); err != nil || host == "" || portErr != nil || n == 0 {
			return fmt.Errorf("server: needs a host and a port such as \"xmpp.example.org:5222\", not %q", x.Server)
		}
	}
	for _, w := range []struct{ key, value string }{{"resource", x.Resource}, {"nick", x.Nick}} {
		if len(w.value) > maxWord || strings.ContainsFunc(w.value, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.TrimSpace(w.value) != w.value {
			return fmt.Errorf("%s: a word without control characters, not %q", w.key, w.value)
		}
	}
	return nil
}

// Account returns the bare JID of the account, "" when there is none.
func (x *XMPP) Account() string {
	bare, _, _ := target.JID(strings.TrimPrefix(x.JID, "xmpp:"))
	return bare
}

// Secret returns the account's password.
func (x *XMPP) Secret() (string, error) { return lineSecret("password", x.Password, x.PasswordFile) }
