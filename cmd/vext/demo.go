package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

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
the clock, and shows the reminders as they arrive in a mailbox. Nothing is left
behind.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), a)
		},
	}
}

// A demo is one run of the demonstration. It shows real commands only.
type demo struct {
	*app
	ctx         context.Context
	style       style
	filter, dir string          // paths of vext-filter and of the temporary directory
	shown       map[string]bool // files of mails
	err         error           // the first
}

const demoConfig = `[reminders]
allow = ["*@example.org"]

[mail]
from = "MFC reminders <mfc@example.org>"
via = "maildir:%s"

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
	d := &demo{app: a, ctx: ctx, style: styleFor(a.stdout), filter: filter, dir: dir, shown: map[string]bool{}}
	if err := os.Mkdir(d.path("state"), 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(d.path("vext.toml"), fmt.Appendf(nil, demoConfig, d.path("mail")), 0o600); err != nil {
		return err
	}
	d.play()
	return d.err
}

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

func (d *demo) play() {
	d.chapter("Monday 2 November 2026. Six notifications arrive, as mails and from a hook.")
	d.filterAll("[1-6]-*")
	d.chapter("The processor schedules each for its day, and quarantines what it can't understand.")
	d.vext("2026-11-02 20:00", "run")
	d.vext("2026-11-02 20:00", "list")
	d.vext("2026-11-02 20:00", "list", "--failed")
	d.chapter("Ida's \"when tested\" is not a period. She gets a mail at once.")
	d.received(false)
	d.chapter("The forge reports Jane's commit, too. One commit has one reminder, whichever source brings it.")
	d.filterAll("7-*")
	d.vext("2026-11-02 20:02", "run")
	d.chapter("Ida needs more time, and snoozes the reminder.")
	d.vext("2026-11-02 20:05", "snooze", "224711", "1", "week")
	d.chapter("Three days later the first reminder is due; a week later, the second.")
	d.vext("2026-11-05 00:22", "run")
	d.received(false)
	d.vext("2026-11-09 00:22", "run")
	d.received(true)
	d.chapter("At the end of the month all reminders are sent. The history has them.")
	d.vext("2026-11-30 00:22", "run")
	d.received(false)
	d.vext("2026-11-30 09:00", "stats")
	d.chapter("That was vext. README.md says how to set it up for real.")
}

func (d *demo) path(name string) string { return filepath.Join(d.dir, name) }

// print prints text unless a step failed.
func (d *demo) print(format string, args ...any) {
	if d.err == nil {
		fmt.Fprintf(d.stdout, format, args...)
	}
}

func (d *demo) chapter(title string) { d.print("\n%s\n", d.style.bold("== "+title)) }

func (d *demo) filterAll(pattern string) {
	files, _ := fs.Glob(demoCommits, "demo/"+pattern)
	for _, file := range files {
		if d.err != nil {
			return
		}
		data, _ := demoCommits.ReadFile(file) // it is in this program
		cmd := exec.CommandContext(d.ctx, d.filter, "-state", d.path("state"), "-v")
		cmd.Stdin = bytes.NewReader(data)
		out, err := cmd.CombinedOutput()
		if err != nil {
			d.err = fmt.Errorf("%s: %w: %s", d.filter, err, out)
		}
		verdict := strings.TrimPrefix(strings.TrimSpace(string(out)), "vext-filter: ")
		d.print("%s %s\n", d.style.dim(fmt.Sprintf("vext-filter < %-16s", path.Base(file))), verdict)
	}
}

// vext shows a command and runs it at a time.
func (d *demo) vext(now string, args ...string) {
	d.print("%s\n", d.style.dim("$ vext "+strings.Join(args, " ")))
	if d.err != nil {
		return
	}
	all := append([]string{"--config", d.path("vext.toml"), "--state", d.path("state"), "--now", now}, args...)
	if status := run(d.ctx, -1, all, d.stdin, d.stdout, d.stdout); status != exitOK {
		d.err = fmt.Errorf("vext %s ended with status %d", strings.Join(args, " "), status)
	}
}

// received shows the mail that has arrived since the last call: all of it, or only
// its recipient and subject.
func (d *demo) received(whole bool) {
	files, _ := filepath.Glob(d.path("mail/new/*"))
	files = slices.DeleteFunc(files, func(file string) bool { return d.shown[file] })
	if d.err == nil && len(files) != 1 {
		d.err = fmt.Errorf("%d mails arrived instead of 1", len(files))
	}
	if d.err != nil {
		return
	}
	d.shown[files[0]] = true
	data, err := os.ReadFile(files[0])
	if err != nil {
		d.err = err
	}
	d.print("%s\n", d.style.dim("the mailbox received:"))
	if !whole {
		header := commit.ReadMail(bytes.NewReader(data)).Header
		d.print("  | To: %s\n  | Subject: %s\n", header.Get("To"), header.Get("Subject"))
		return
	}
	// As the demo shows commands, without its temporary directory.
	ours := hook.Line([]string{"vext", "--config", d.path("vext.toml"), "--state", d.path("state")})
	for line := range strings.Lines(strings.ReplaceAll(string(data), ours, "vext")) {
		d.print("  | %s\n", strings.TrimRight(line, "\n"))
	}
}
