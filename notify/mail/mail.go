// Package mail sends mails: by SMTP, through a sendmail program, into a
// Maildir, or to standard output.
package mail

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"vext/notify"
)

// Options are what a way needs beside its URL.
type Options struct {
	User, Password string    // for SMTP, where the URL names none
	Stdout         io.Writer // for stdout:
}

// Open returns the sender for a URL: smtp://host:port, smtps://host:port,
// sendmail:/path, maildir:DIR or stdout:. Nothing is connected yet. See the
// key via in vext.toml(5) for the parameters.
func Open(via string, opts Options) (notify.Sender, error) {
	scheme, rest, ok := strings.Cut(via, ":")
	if !ok {
		return nil, fmt.Errorf("not a way for mail to leave: %q", via)
	}
	switch scheme {
	case "smtp", "smtps":
		u, err := url.Parse(via)
		if err != nil {
			return nil, fmt.Errorf("not a URL of a mail server: %q", withoutPassword(via))
		}
		return newSMTP(u, opts)
	case "sendmail":
		if !filepath.IsAbs(rest) {
			return nil, fmt.Errorf("sendmail: needs the whole path of the program, such as sendmail:/usr/sbin/sendmail, not %q", rest)
		}
		return &sendmail{path: rest, limit: sendmailLimit}, nil
	case "maildir":
		if !filepath.IsAbs(rest) {
			return nil, fmt.Errorf("maildir: needs the whole path of a directory, not %q", rest)
		}
		return &maildir{dir: rest}, nil
	case "stdout":
		return &stdout{w: opts.Stdout}, nil
	}
	return nil, fmt.Errorf("not a way for mail to leave: %q (smtp, smtps, sendmail, maildir or stdout)", scheme)
}

// withoutPassword hides what may be a password in text that is no URL.
func withoutPassword(s string) string {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		if j := strings.Index(s, "//"); j >= 0 && j < i {
			return s[:j+2] + "..." + s[i:]
		}
	}
	return s
}

// unixLines returns data with \n for every line end, as local programs and
// mailboxes have it.
func unixLines(data []byte) []byte { return bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")) }
