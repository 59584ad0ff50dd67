// Package target parses the URLs of those who can get messages, on IRC and on XMPP.
package target

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Target is a channel or a person on an IRC network, or a person or a room on XMPP.
type Target struct {
	Scheme         string // IRC, IRCS or XMPP
	Host           string // in lower case, an IPv6 address without brackets
	Port           int    // 0 on XMPP
	User, Password string // for USER and PASS
	Name           string // the channel with its #, & or +, the nick, or the JID; in lower case
	IsPerson       bool   // not a channel or a room
	Key            string // of the channel; the password of the room
}

// Schemes of URLs.
const (
	IRC  = "irc"
	IRCS = "ircs" // with TLS
	XMPP = "xmpp"
)

// Protocol returns IRC or XMPP for a URL, "" for one of something else.
func Protocol(url string) string {
	switch scheme := schemeOf(url); scheme {
	case IRCS:
		return IRC
	case IRC, XMPP:
		return scheme
	}
	return ""
}

// schemeOf returns the scheme of a URL, in lower case, "" for none.
func schemeOf(url string) string {
	scheme, _, ok := strings.Cut(strings.TrimSpace(url), ":")
	if !ok {
		return ""
	}
	return strings.ToLower(scheme)
}

// Default ports.
const (
	plainPort = "6667"
	tlsPort   = "6697"
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
//
// The other form is that of RFC 5122: xmpp:jane@example.org for a person,
// xmpp:dev@conference.example.org?join for a room, with ;password=x after join for its
// password.
func Parse(s string) (Target, error) {
	if len(s) > maxURL {
		return Target{}, fmt.Errorf("target: a URL of %d bytes", len(s))
	}
	if !utf8.ValidString(s) {
		return Target{}, fmt.Errorf("target: not UTF-8: %q", s)
	}
	s = strings.TrimSpace(s)
	if schemeOf(s) == XMPP {
		return parseXMPP(s)
	}
	scheme, rest, ok := strings.Cut(s, "://")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != IRC && scheme != IRCS {
		return Target{}, fmt.Errorf("target: not an irc://, ircs:// or xmpp: URL: %q", redact(s))
	}
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/#?"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	t := Target{Scheme: scheme}
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
	t.Host = strings.ToLower(u.Hostname())
	if _, err := netip.ParseAddr(t.Host); err != nil && strings.Contains(t.Host, ":") {
		return fmt.Errorf("target: no server in %q", redact(scheme+"://"+authority))
	}
	port := cmp.Or(u.Port(), plainPort)
	if t.Scheme == IRCS {
		port = cmp.Or(u.Port(), tlsPort)
	}
	if t.Port, err = strconv.Atoi(port); err != nil || t.Port < 1 || t.Port > 65535 {
		return fmt.Errorf("target: no port: %q", port)
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
		name, t.IsPerson = nick, true
	}
	switch {
	case name == "":
		return errors.New("no channel")
	case !t.IsPerson && !strings.ContainsRune("#&+", rune(name[0])):
		name = "#" + name
	case t.IsPerson && (strings.ContainsRune("#&+:$", rune(name[0])) || strings.Contains(name, "/")):
		return errors.New("no nick")
	}
	if len(name) > maxName || strings.ContainsFunc(name, isDelimiter) || strings.ContainsFunc(t.Key, isDelimiter) {
		return errors.New("a name or key that no channel has")
	}
	t.Name = name
	return nil
}

// isDelimiter reports whether a character ends a parameter of an IRC command, or
// separates names in one (RFC 2812, section 2.3.1).
func isDelimiter(r rune) bool { return r <= ' ' || r == ',' || r == 0x7f }

// Server returns host:port, the domain on XMPP.
func (t *Target) Server() string {
	if t.Scheme == XMPP {
		return t.Host
	}
	return net.JoinHostPort(t.Host, strconv.Itoa(t.Port))
}

// Network returns the URL of the network alone, without the user.
func (t *Target) Network() string {
	switch t.Scheme {
	case XMPP:
		return "xmpp:" + t.Host
	case IRCS:
		return "ircs://" + strings.TrimSuffix(t.Server(), ":"+tlsPort)
	}
	return "irc://" + strings.TrimSuffix(t.Server(), ":"+plainPort)
}

// escaper escapes the characters that end the path of a URL.
var escaper = strings.NewReplacer("%", "%25", "?", "%3F")

// String returns the URL without secrets: the user, the password and the key.
func (t *Target) String() string {
	if t.Scheme == XMPP {
		return t.xmpp()
	}
	name := escaper.Replace(t.Name)
	if t.IsPerson {
		name += ",isnick"
	}
	return t.Network() + "/" + name
}

// URL returns the whole URL for Parse, with secrets.
func (t *Target) URL() string {
	s := t.String()
	if t.Scheme == XMPP {
		return s + t.roomPassword()
	}
	if t.User != "" || t.Password != "" {
		s = strings.Replace(s, "://", "://"+url.UserPassword(t.User, t.Password).String()+"@", 1)
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
