package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/emersion/go-smtp"
	"github.com/spf13/cobra"

	"vext/internal/commit"
	"vext/internal/hint"
	"vext/source/hook"
)

//go:embed demo
var demoCommits embed.FS

func newDemo(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show vext at work, in ten seconds",
		Long: `Sends sample commits through vext-filter into a temporary state directory, advances
the clock, and shows the reminders as a mail server on this machine receives them.
Nothing is left behind.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), a)
		},
	}
}

// A demo is one run of the demonstration. It shows real commands only.
type demo struct {
	*app
	ctx    context.Context
	style  style
	filter string // path of vext-filter
	dir    string
	config string
	server *demoServer
}

const demoConfig = `[reminders]
allow = ["*@example.org"]

[mail]
from = "MFC reminders <mfc@example.org>"
via = "smtp://%s"

[[repository]]
name = "src"
aliases = ["example/src"]
`

func runDemo(ctx context.Context, a *app) error {
	filter, err := findFilter()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "vext-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server, err := startDemoServer()
	if err != nil {
		return err
	}
	defer server.stop()
	d := &demo{app: a, ctx: ctx, style: styleFor(a.stdout), filter: filter, dir: dir, config: filepath.Join(dir, "vext.toml"), server: server}
	if err := os.Mkdir(d.state(), 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(d.config, fmt.Appendf(nil, demoConfig, server.addr()), 0o600); err != nil {
		return err
	}
	return d.play()
}

func (d *demo) state() string { return filepath.Join(d.dir, "state") }

// findFilter looks for vext-filter beside this program, then in the PATH.
func findFilter() (string, error) {
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "vext-filter")
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	found, err := exec.LookPath("vext-filter")
	if err != nil {
		return "", hint.Wrap(errors.New("vext-filter is neither beside this program nor in the PATH"), "build it with make, or install it with make install")
	}
	return found, nil
}

func (d *demo) play() error {
	steps := []func() error{
		d.chapter("Monday 2 November 2026. Six notifications arrive, as mails and from a hook."),
		d.filterAll("[1-6]-*"),
		d.chapter("The processor schedules each for its day, and quarantines what it can't understand."),
		d.vext("2026-11-02 20:00", "run"),
		d.vext("2026-11-02 20:00", "list"),
		d.vext("2026-11-02 20:00", "list", "--failed"),
		d.chapter("Ida's \"when tested\" is not a period. She gets a mail at once."),
		d.received(0, false),
		d.chapter("The forge reports Jane's commit, too. One commit has one reminder, whichever source brings it."),
		d.filterAll("7-*"),
		d.vext("2026-11-02 20:02", "run"),
		d.chapter("Ida needs more time, and snoozes the reminder."),
		d.vext("2026-11-02 20:05", "snooze", "224711", "1", "week"),
		d.chapter("Three days later the first reminder is due; a week later, the second."),
		d.vext("2026-11-05 00:22", "run"),
		d.received(1, false),
		d.vext("2026-11-09 00:22", "run"),
		d.received(2, true),
		d.chapter("At the end of the month all reminders are sent. The history has them."),
		d.vext("2026-11-30 00:22", "run"),
		d.received(3, false),
		d.vext("2026-11-30 09:00", "stats"),
		d.chapter("That was vext. README.md says how to set it up for real."),
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) chapter(title string) func() error {
	return func() error {
		_, err := fmt.Fprintf(d.stdout, "\n%s\n", d.style.bold("== "+title))
		return err
	}
}

// filterAll sends samples through the real filter.
func (d *demo) filterAll(pattern string) func() error {
	return func() error {
		files, err := fs.Glob(demoCommits, "demo/"+pattern)
		if err != nil {
			return err
		}
		for _, file := range files {
			if err := d.filterOne(file); err != nil {
				return err
			}
		}
		return nil
	}
}

func (d *demo) filterOne(file string) error {
	data, err := demoCommits.ReadFile(file)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(d.ctx, d.filter, "-state", d.state(), "-v")
	cmd.Stdin = strings.NewReader(string(data))
	said, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", d.filter, err, said)
	}
	verdict := strings.TrimPrefix(strings.TrimSpace(string(said)), "vext-filter: ")
	_, err = fmt.Fprintf(d.stdout, "%s %s\n", d.style.dim(fmt.Sprintf("vext-filter < %-16s", path.Base(file))), verdict)
	return err
}

// vext shows a command and runs it, at a time of the story.
func (d *demo) vext(now string, args ...string) func() error {
	return func() error {
		fmt.Fprintf(d.stdout, "%s\n", d.style.dim("$ vext "+strings.Join(args, " ")))
		all := append([]string{"--config", d.config, "--state", d.state(), "--now", now}, args...)
		if status := run(d.ctx, all, d.stdin, d.stdout, d.stdout); status != exitOK {
			return fmt.Errorf("vext %s ended with status %d", strings.Join(args, " "), status)
		}
		return nil
	}
}

// received shows the n-th mail that the server received: all of it, or only
// to whom it went and about what.
func (d *demo) received(n int, whole bool) func() error {
	return func() error {
		mails := d.server.mails()
		if len(mails) <= n {
			return fmt.Errorf("the mail server received %d mails instead of %d", len(mails), n+1)
		}
		fmt.Fprintf(d.stdout, "%s\n", d.style.dim("the mail server on "+d.server.addr()+" received:"))
		if !whole {
			header := commit.ReadMail(strings.NewReader(mails[n])).Header
			fmt.Fprintf(d.stdout, "  | To: %s\n  | Subject: %s\n", header.Get("To"), header.Get("Subject"))
			return nil
		}
		// As the commands of the demo are shown: without the directory that is gone
		// when it ends.
		ours := hook.Line([]string{"vext", "--config", d.config, "--state", d.state()})
		for line := range strings.Lines(strings.ReplaceAll(mails[n], ours, "vext")) {
			fmt.Fprintf(d.stdout, "  | %s\n", strings.TrimRight(line, "\r\n"))
		}
		return nil
	}
}

// A demoServer is a mail server on this machine that keeps what it receives.
type demoServer struct {
	server   *smtp.Server
	listener net.Listener
	served   chan error

	mu       sync.Mutex
	received []string
}

func startDemoServer() (*demoServer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &demoServer{listener: listener, served: make(chan error, 1)}
	s.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &demoSession{s}, nil }))
	s.server.Domain = "localhost"
	go func() { s.served <- s.server.Serve(listener) }()
	return s, nil
}

func (s *demoServer) addr() string { return s.listener.Addr().String() }

func (s *demoServer) stop() {
	s.server.Close()
	<-s.served
}

func (s *demoServer) mails() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.received...)
}

// demoSession is one client's conversation with the server.
type demoSession struct{ server *demoServer }

func (*demoSession) Mail(string, *smtp.MailOptions) error { return nil }
func (*demoSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (*demoSession) Reset()                               {}
func (*demoSession) Logout() error                        { return nil }

func (d *demoSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	d.server.mu.Lock()
	defer d.server.mu.Unlock()
	d.server.received = append(d.server.received, string(data))
	return err
}
