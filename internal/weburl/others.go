package weburl

import (
	"errors"
	"net"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxFetch is the length, in bytes, of the longest URL that IsFetch accepts.
const MaxFetch = 2048

// IsFetch reports whether git may fetch from a URL that another machine names: one over the
// network, of ssh (also as host:path), https, http or git's own protocol. git would take
// others for an option, a file of this machine, or a program to run, such as ext::.
func IsFetch(s string) bool {
	if len(s) > MaxFetch || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
		return false
	}
	scheme, rest, isURL := strings.Cut(s, "://")
	if isURL && !strings.ContainsAny(scheme, ":/") {
		host, _, _ := strings.Cut(rest, "/")
		isKnown := scheme == "ssh" || scheme == "https" || scheme == "http" || scheme == "git"
		return isKnown && isHost(host[strings.LastIndexByte(host, '@')+1:]) && isHost(host)
	}
	user, rest, hasUser := strings.Cut(s, "@")
	if !hasUser || strings.ContainsAny(user, ":/") {
		user, rest = "user", s
	}
	host, path, isShort := strings.Cut(rest, ":") // host:path, as of ssh
	if strings.HasPrefix(rest, "[") {
		host, path, isShort = strings.Cut(rest[1:], "]:")
	}
	return isShort && isHost(user) && isHost(host) && !strings.ContainsAny(host, `/\`) &&
		path != "" && path[0] != ':' && !strings.HasPrefix(path, "//")
}

// isHost reports whether a text, which is not empty, cannot be taken for an option.
func isHost(s string) bool { return s != "" && s[0] != '-' }

// CheckService returns an error unless s is the URL of a web service to which a token may be
// sent: https, or http on this machine. The error does not contain the URL.
func CheckService(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return errors.New("the URL cannot be parsed")
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return errors.New("the URL must begin with https://, and name a host")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return errors.New("the URL must have no user, password, query or fragment")
	case u.Scheme == "http" && !IsLoopback(u.Hostname()):
		return errors.New("http would send the token in the clear; use https")
	}
	return nil
}

// IsLoopback reports whether a host, a name or an IP address, is this machine.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
