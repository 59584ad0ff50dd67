package mail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"vext/notify"
)

// sendmail sends through a program with the interface of sendmail(8). It is
// run without a shell; the recipient comes after --, so that no address is
// taken for an option.
type sendmail struct {
	path  string
	limit time.Duration // how long it may take over one mail
}

func (s *sendmail) String() string { return "sendmail:" + s.path }

// Exit statuses of sysexits.h by which sendmail says that this very mail will
// never be taken.
var permanent = map[int]string{
	65: "the message is not acceptable",
	67: "no such recipient",
	68: "no such host",
}

// sendmailDelay is how long vext waits for the output after the program has ended. A
// child process of it may still deliver, and keep the output open.
const sendmailDelay = 2 * time.Second

// sendmailLimit bounds the time for one mail. It is that of a mail server, because the
// program may itself deliver the mail.
const sendmailLimit = dataTimeout

// Send implements notify.Sender. A program that takes too long is killed together with
// its child processes. A program that was killed after it had read the whole mail may
// have sent it.
func (s *sendmail) Send(ctx context.Context, m *notify.Mail) error {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	args := []string{"-i"}
	if m.Sender != "" {
		args = append(args, "-f", m.Sender)
	}
	cmd := exec.CommandContext(ctx, s.path, append(args, "--", m.Recipient)...)
	data := unixLines(m.Data)
	size := int64(len(data))
	stdin, err := wholeFile(data)
	if err != nil {
		return &notify.UnavailableError{Err: fmt.Errorf("%s: %w", s, err)}
	}
	defer stdin.Close()
	cmd.Stdin = stdin
	cmd.WaitDelay = sendmailDelay
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	output, err := cmd.CombinedOutput()
	if cmd.ProcessState != nil && cmd.ProcessState.Success() { // whatever its children do
		return nil
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return &notify.UnavailableError{Err: fmt.Errorf("%s: %w", s, err)}
	}
	err = fmt.Errorf("%s: recipient %s: %w%s", s, m.Recipient, err, said(output))
	if code := exit.ExitCode(); code >= 0 && code <= signalled {
		if why, ok := permanent[exit.ExitCode()]; ok {
			return &notify.PermanentError{Err: fmt.Errorf("%w (%s)", err, why)}
		}
		return err
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = &notify.UnavailableError{Err: fmt.Errorf("%w: it took longer than %s", err, s.limit)} // as every mail would
	}
	// Parent and child share the offset of the file.
	if at, seekErr := stdin.Seek(0, io.SeekCurrent); seekErr != nil || at >= size {
		return &notify.UnconfirmedError{Err: err}
	}
	return err
}

// signalled is greater than every status of sysexits.h. A shell adds the number of the
// signal to it when a program that it runs was killed.
const signalled = 128

// wholeFile returns data as a file without a name. With a pipe, the program would send an
// incomplete mail if vext were killed.
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
