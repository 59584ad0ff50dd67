package mail

import (
	"context"
	"fmt"
	"io"

	"vext/notify"
)

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
