// Package weburl holds the URL of a repository, and hides the password in it: it
// must appear neither in what is printed, logged or stored, nor in ps(1).
package weburl

import (
	"net/url"
	"slices"
	"strings"
)

// A URL is where a repository is, as git, hg and svn take it: a URL, the form of
// ssh (user@host:path) or a path. When it is printed or encoded, the password is
// left out; only Reveal returns it. The zero value is no URL.
type URL struct {
	plain  string
	secret func() secret // nil for none; package fmt can't look into a function
}

type secret struct{ whole, user, password string }

// Parse parses a URL. Every text is a URL; one without a password stays as it is
// written. A user name without a password that is a forge's token counts as a
// password.
func Parse(s string) URL {
	scheme, rest, ok := strings.Cut(s, "://")
	at := -1
	if ok {
		at = userEnd(rest)
	}
	if at < 0 {
		return URL{plain: s}
	}
	user, password, _ := strings.Cut(rest[:at], ":")
	switch {
	case password != "":
		return hiding(scheme+"://"+user+"@"+rest[at+1:], secret{s, unescape(user), unescape(password)})
	case isToken(user):
		return hiding(scheme+"://"+rest[at+1:], secret{s, unescape(user), ""})
	}
	return URL{plain: s}
}

func hiding(plain string, s secret) URL { return URL{plain, func() secret { return s }} }

// userEnd returns where the @ is that ends the user and the password, -1 where
// there are none. A / in a password should be written as %2F, but often is not.
func userEnd(rest string) int {
	authority := rest
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority = rest[:end]
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		return at
	}
	_, port, ok := strings.Cut(authority, ":")
	if !ok || strings.HasPrefix(authority, "[") || strings.Trim(port, "0123456789") == "" {
		return -1
	}
	return strings.LastIndexByte(rest, '@')
}

func unescape(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

// minTokenName is the length from which on a user name counts as a token.
const minTokenName = 32

// isToken reports whether a user's name is one of the tokens of GitHub and
// GitLab, or as long as such.
func isToken(user string) bool {
	starts := []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-"}
	return slices.ContainsFunc(starts, func(start string) bool { return strings.HasPrefix(user, start) }) ||
		len(user) >= minTokenName && !strings.ContainsAny(user, "@%.")
}

// Reveal returns the URL as it was written, password and all.
func (u URL) Reveal() string {
	if u.secret != nil {
		return u.secret().whole
	}
	return u.plain
}

// String returns the URL without its password.
func (u URL) String() string { return u.plain }

// IsZero reports whether there is no URL.
func (u URL) IsZero() bool { return u.plain == "" }

// Login returns the user and the password of a URL that has a password.
func (u URL) Login() (user, password string, ok bool) {
	if u.secret == nil {
		return "", "", false
	}
	s := u.secret()
	return s.user, s.password, true
}

// Server returns the scheme, host and port of a URL, such as
// https://git.example.org:8443.
func (u URL) Server() string {
	scheme, rest, ok := strings.Cut(u.plain, "://")
	if !ok {
		return ""
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return scheme + "://" + rest[strings.LastIndexByte(rest, '@')+1:]
}

// IsLocal reports whether the repository is on this machine.
func (u URL) IsLocal() bool {
	if strings.Contains(u.plain, "://") {
		return strings.HasPrefix(u.plain, "file://")
	}
	host, _, isSSH := strings.Cut(u.plain, ":")
	return !isSSH || strings.Contains(host, "/")
}

// Place returns where the repository is in a form that is the same for all its spellings:
// host/path, without scheme, user and port, and without slashes or .git at the end, in
// lower case. A path on this machine stays one. It may be the same for two repositories:
// of two servers at one host, or whose names differ in case.
func (u URL) Place() string {
	trim := func(path string) string {
		path = strings.TrimRight(path, "/")
		return strings.TrimRight(strings.TrimSuffix(path, ".git"), "/")
	}
	if u.IsLocal() {
		if path, isURL := strings.CutPrefix(u.plain, "file://"); isURL {
			return trim(unescape(path))
		}
		return trim(u.plain)
	}
	host, path, _ := strings.Cut(u.plain, ":")
	if _, rest, isURL := strings.Cut(u.plain, "://"); isURL {
		host, path, _ = strings.Cut(rest, "/")
		path = unescape(path)
	} else if at := strings.Index(u.plain, "]:"); at >= 0 {
		host, path = u.plain[:at+1], u.plain[at+2:]
	}
	host = host[strings.LastIndexByte(host, '@')+1:]
	if colon := strings.LastIndexByte(host, ':'); colon > strings.LastIndexByte(host, ']') {
		host = host[:colon] // the port
	}
	return strings.ToLower(host + "/" + trim(strings.TrimLeft(path, "/")))
}

// GoString implements fmt.GoStringer.
func (u URL) GoString() string { return u.plain }

// MarshalText implements encoding.TextMarshaler, for encoders and for log/slog.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.plain), nil }

// UnmarshalText reads a URL as Parse does.
func (u *URL) UnmarshalText(text []byte) error {
	*u = Parse(string(text))
	return nil
}

// Hide returns a text without the passwords of the URLs in it. The error message of
// a program may contain a URL from the program's own configuration.
func Hide(text string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "://")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		end := strings.IndexAny(after, " \t\r\n'\"<>")
		if end < 0 {
			end = len(after)
		}
		b.WriteString(strings.TrimPrefix(Parse("x://"+after[:end]).String(), "x"))
		text = after[end:]
	}
}
