package mail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"vext/notify"
)

// sendmail sends through a program with the interface of sendmail(8). It is
// run without a shell; the recipient comes after --, so that no address is
// taken for an option.
type sendmail struct{ path string }

func (s *sendmail) String() string { return "sendmail:" + s.path }

// Exit statuses of sysexits.h by which sendmail says that this very mail will
// never be taken.
var permanent = map[int]string{
	65: "the message is not acceptable",
	67: "no such recipient",
	68: "no such host",
}

// sendmailDelay is how long the output of a program is waited for that has
// ended: it may have left a child behind that delivers.
const sendmailDelay = 2 * time.Second

// Send implements notify.Sender.
func (s *sendmail) Send(ctx context.Context, m *notify.Mail) error {
	args := []string{"-i"}
	if m.Sender != "" {
		args = append(args, "-f", m.Sender)
	}
	cmd := exec.CommandContext(ctx, s.path, append(args, "--", m.Recipient)...)
	stdin, err := wholeFile(unixLines(m.Data))
	if err != nil {
		return &notify.Closed{Err: fmt.Errorf("%s: %w", s, err)}
	}
	defer stdin.Close()
	cmd.Stdin = stdin
	cmd.WaitDelay = sendmailDelay
	output, err := cmd.CombinedOutput()
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return &notify.Closed{Err: fmt.Errorf("%s: %w", s, err)}
	}
	err = fmt.Errorf("%s: recipient %s: %w%s", s, m.Recipient, err, said(output))
	if why, ok := permanent[exit.ExitCode()]; ok {
		return &notify.Refused{Err: fmt.Errorf("%w (%s)", err, why)}
	}
	return err
}

// wholeFile returns data as a file without a name. A pipe would end when vext
// is killed, and the program would send what it had read until then.
func wholeFile(data []byte) (*os.File, error) {
	f, err := os.CreateTemp("", "vext-")
	if err != nil {
		return nil, err
	}
	err = os.Remove(f.Name())
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// said returns the first line of what a program printed, for use in an error.
func said(output []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(output)), "\n")
	if line == "" {
		return ""
	}
	return fmt.Sprintf(": %.200s", line)
}

// Check implements notify.Sender.
func (s *sendmail) Check(context.Context) error {
	if _, err := exec.LookPath(s.path); err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	return nil
}

// Close implements notify.Sender.
func (s *sendmail) Close() error { return nil }
