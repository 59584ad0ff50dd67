// Package target parses the URLs of channels and persons on IRC networks.
package target

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Target is a channel or a person on an IRC network.
type Target struct {
	TLS            bool
	Host           string // in lower case, an IPv6 address without brackets
	Port           int
	User, Password string // for USER and PASS
	Name           string // the channel with its #, & or +, or the nick; in lower case
	IsNick         bool
	Key            string // of the channel
}

// Default ports.
const (
	plainPort = 6667
	tlsPort   = 6697
)

// Bounds in bytes. Channel names have at most 50 characters in RFC 2812, section 1.3,
// but servers set their own bounds.
const (
	maxURL  = 1000
	maxName = 200
)

// Parse parses a URL in the forms of irker: irc://host[:port]/channel, or ircs:// for
// TLS, with user:password@ before the host, and ?key=x or ?x after the channel for its
// key. A name that ends in ,isnick is a nick. Any other gets a # in front unless it
// begins with #, & or +. irc://host#channel is the same as irc://host/channel.
func Parse(s string) (Target, error) {
	if len(s) > maxURL {
		return Target{}, fmt.Errorf("target: a URL of %d bytes", len(s))
	}
	if !utf8.ValidString(s) {
		return Target{}, fmt.Errorf("target: not UTF-8: %q", s)
	}
	s = strings.TrimSpace(s)
	scheme, rest, ok := strings.Cut(s, "://")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "irc" && scheme != "ircs" {
		return Target{}, fmt.Errorf("target: not an irc:// or ircs:// URL: %q", redact(s))
	}
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/#?"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	t := Target{TLS: scheme == "ircs"}
	if err := t.setServer(scheme, authority); err != nil {
		return Target{}, err
	}
	if err := t.setName(path); err != nil {
		return Target{}, fmt.Errorf("target: %w: %q", err, redact(s))
	}
	return t, nil
}

// setServer parses the part between :// and the path.
func (t *Target) setServer(scheme, authority string) error {
	u, err := url.Parse(scheme + "://" + authority)
	if err != nil || u.Hostname() == "" || strings.ContainsFunc(u.Hostname(), isDelimiter) {
		return fmt.Errorf("target: no server in %q", redact(scheme+"://"+authority))
	}
	t.Host, t.Port = strings.ToLower(u.Hostname()), plainPort
	if _, err := netip.ParseAddr(t.Host); err != nil && strings.Contains(t.Host, ":") {
		return fmt.Errorf("target: no server in %q", redact(scheme+"://"+authority))
	}
	if t.TLS {
		t.Port = tlsPort
	}
	if u.Port() != "" {
		if t.Port, err = strconv.Atoi(u.Port()); err != nil || t.Port < 1 || t.Port > 65535 {
			return fmt.Errorf("target: no port: %q", u.Port())
		}
	}
	if u.User != nil {
		t.User = u.User.Username()
		t.Password, _ = u.User.Password()
	}
	if strings.ContainsFunc(t.User, isDelimiter) || strings.ContainsFunc(t.Password, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errors.New("target: a blank or control character in the user or the password")
	}
	return nil
}

// setName parses the path with the query. Unlike in other URLs, a # is part of the
// path.
func (t *Target) setName(path string) error {
	path, query, _ := strings.Cut(path, "?")
	name, err := url.PathUnescape(strings.TrimLeft(path, "/"))
	if err != nil || !utf8.ValidString(name) {
		return errors.New("no channel that can be read")
	}
	if t.Key, err = url.QueryUnescape(strings.TrimPrefix(query, "key=")); err != nil || !utf8.ValidString(t.Key) {
		return errors.New("no key that can be read")
	}
	name = strings.ToLower(name)
	if nick, ok := strings.CutSuffix(name, ",isnick"); ok {
		name, t.IsNick = nick, true
	}
	switch {
	case name == "":
		return errors.New("no channel")
	case !t.IsNick && !strings.ContainsRune("#&+", rune(name[0])):
		name = "#" + name
	case t.IsNick && (strings.ContainsRune("#&+:$", rune(name[0])) || strings.Contains(name, "/")):
		return errors.New("no nick")
	}
	if name = strings.ToLower(name); len(name) > maxName || strings.ContainsFunc(name, isDelimiter) || strings.ContainsFunc(t.Key, isDelimiter) {
		return errors.New("a name or key that no channel has")
	}
	t.Name = name
	return nil
}

// isDelimiter reports whether a character ends a parameter of an IRC command, or
// separates names in one (RFC 2812, section 2.3.1).
func isDelimiter(r rune) bool { return r <= ' ' || r == ',' || r == 0x7f }

// Server returns host:port.
func (t *Target) Server() string { return net.JoinHostPort(t.Host, strconv.Itoa(t.Port)) }

// Network returns the URL of the network alone, without the user.
func (t *Target) Network() string {
	scheme, port := "irc", plainPort
	if t.TLS {
		scheme, port = "ircs", tlsPort
	}
	host := t.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if t.Port != port {
		host += ":" + strconv.Itoa(t.Port)
	}
	return scheme + "://" + host
}

// escaper escapes the characters that end the path of a URL.
var escaper = strings.NewReplacer("%", "%25", "?", "%3F")

// String returns the URL without secrets: the user, the password and the key.
func (t *Target) String() string {
	name := escaper.Replace(t.Name)
	if t.IsNick {
		name += ",isnick"
	}
	return t.Network() + "/" + name
}

// URL returns the whole URL for Parse, with secrets.
func (t *Target) URL() string {
	s := t.String()
	if t.User != "" || t.Password != "" {
		scheme, rest, _ := strings.Cut(s, "://")
		s = scheme + "://" + url.UserPassword(t.User, t.Password).String() + "@" + rest
	}
	if t.Key != "" {
		s += "?key=" + url.QueryEscape(t.Key)
	}
	return s
}

// redact hides possible passwords and keys in a string that is no valid URL.
func redact(s string) string {
	if before, _, ok := strings.Cut(s, "?"); ok {
		s = before + "?..." // the key
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if i := strings.LastIndexByte(rest, '@'); ok && i >= 0 {
		return scheme + "://...@" + rest[i+1:]
	}
	return s
}
