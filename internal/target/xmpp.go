package target

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPart bounds the local part and the domain of a JID, in bytes (RFC 7622, section 3.1).
const maxPart = 1023

// parseXMPP parses a URI of XMPP (RFC 5122). Other queries than ?join and ?message ask for
// something that is not sending a message, and are errors.
func parseXMPP(s string) (Target, error) {
	path, query, _ := strings.Cut(s[len(XMPP)+1:], "?")
	t := Target{Scheme: XMPP, IsPerson: true}
	err := t.setJID(path)
	if err == nil {
		err = t.setAction(query)
	}
	if err != nil {
		return Target{}, fmt.Errorf("target: %w: %q", err, redact(s))
	}
	return t, nil
}

// setJID parses the bare JID.
func (t *Target) setJID(path string) error {
	if strings.HasPrefix(path, "//") {
		return errors.New("an account before the JID, which [xmpp] names; write xmpp:jane@example.org")
	}
	if strings.Contains(path, "#") {
		return errors.New("a # in a JID is written %23")
	}
	jid, err := url.PathUnescape(path)
	if err != nil {
		return errors.New("no JID that can be read")
	}
	t.Name, t.Host, err = JID(jid)
	return err
}

// JID parses the address of a person or a room, without a resource. It returns the
// address in lower case, and its domain.
func JID(s string) (bare, domain string, err error) {
	if !utf8.ValidString(s) {
		return "", "", errors.New("no JID that can be read")
	}
	local, domain, ok := strings.Cut(strings.ToLower(s), "@")
	switch {
	case !ok || local == "":
		return "", "", errors.New("no JID such as jane@example.org")
	case strings.Contains(domain, "/"):
		return "", "", errors.New("a JID with a resource; leave out what follows the /")
	case len(local) > maxPart || strings.ContainsFunc(local, notInLocal):
		return "", "", errors.New("no name that a JID can have before the @")
	case domain == "" || len(domain) > maxPart || strings.ContainsFunc(domain, notInDomain) || strings.Contains("."+domain+".", ".."):
		return "", "", errors.New("no domain in the JID")
	}
	return local + "@" + domain, domain, nil
}

// notInLocal reports whether a character can't be in the local part of a JID (RFC 7622,
// section 3.3.1).
func notInLocal(r rune) bool {
	return strings.ContainsRune("\"&'/:<>@", r) || isHidden(r)
}

// notInDomain reports whether a character can't be in a domain. An IPv6 address has
// brackets.
func notInDomain(r rune) bool {
	isOther := r < utf8.RuneSelf && !('a' <= r && r <= 'z' || '0' <= r && r <= '9') && !strings.ContainsRune("-.[]:_", r)
	return isOther || isHidden(r)
}

// isHidden reports whether nobody sees a character: a blank, or what is not printed.
func isHidden(r rune) bool { return r == utf8.RuneError || unicode.IsSpace(r) || !unicode.IsPrint(r) }

// setAction parses the query.
func (t *Target) setAction(query string) error {
	action, rest, _ := strings.Cut(query, ";")
	switch strings.ToLower(action) {
	case "join":
		t.IsPerson = false
	case "", "message":
		if rest != "" {
			return errors.New("a message in the URI, which is not sent")
		}
		return nil
	default:
		return errors.New("neither ?join, for a room, nor nothing follows the JID")
	}
	for pair := range strings.SplitSeq(rest, ";") {
		key, value, _ := strings.Cut(pair, "=")
		switch {
		case pair == "":
			continue
		case !strings.EqualFold(key, "password"):
			return errors.New("only ;password= can follow ?join")
		}
		var err error
		t.Key, err = url.PathUnescape(value)
		if err != nil || len(t.Key) > maxPart || strings.ContainsFunc(t.Key, isUnprintable) {
			return errors.New("no password of a room that can be read")
		}
	}
	return nil
}

func isUnprintable(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

// xmpp returns the URI without the password of the room.
func (t *Target) xmpp() string {
	local, domain, _ := strings.Cut(t.Name, "@")
	s := XMPP + ":" + escapeLocal.Replace(local) + "@" + domain
	if t.IsPerson {
		return s
	}
	return s + "?join"
}

// escapeLocal escapes what RFC 5122, section 2.2, does not allow in the local part, but the
// letters of all languages, so that people can read it.
var escapeLocal = strings.NewReplacer("%", "%25", "?", "%3F", "#", "%23", "[", "%5B", "]", "%5D", "\\", "%5C", "^", "%5E", "`", "%60", "{", "%7B", "|", "%7C", "}", "%7D")

func (t *Target) roomPassword() string {
	if t.Key == "" {
		return ""
	}
	return ";password=" + url.PathEscape(t.Key)
}
