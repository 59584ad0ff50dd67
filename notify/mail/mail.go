// Package mail sends mails: by SMTP, through a sendmail program, into a
// Maildir, or to standard output.
package mail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"vext/notify"
)

// Options are what a transport needs in addition to its URL.
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
		return nil, fmt.Errorf("not a transport for mail: %q", via)
	}
	switch scheme {
	case "smtp", "smtps":
		u, err := url.Parse(via)
		if err != nil {
			return nil, errors.New("not a URL of a mail server, such as smtp://host:port") // it may have a password
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
	return nil, fmt.Errorf("not a transport for mail: %q (smtp, smtps, sendmail, maildir or stdout)", scheme)
}

// unixLines returns data with \n for every line end, as local programs and
// mailboxes have it.
func unixLines(data []byte) []byte { return bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")) }

// stdout prints mails, an empty line behind each, for trying things out.
type stdout struct{ w io.Writer }

func (s *stdout) String() string { return "stdout:" }

// Send implements notify.Sender.
func (s *stdout) Send(_ context.Context, m *notify.Mail) error {
	if _, err := fmt.Fprintf(s.w, "%s\n", unixLines(m.Data)); err != nil {
		return &notify.UnavailableError{Err: fmt.Errorf("standard output: %w", err)}
	}
	return nil
}

// Check implements notify.Sender.
func (s *stdout) Check(context.Context) error { return nil }

// Close implements notify.Sender.
func (s *stdout) Close() error { return nil }
