// Command vext reminds committers of their commits, when a commit asks for it.
// See vext(1).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"vext/internal/disk"
	"vext/internal/history"
	"vext/queue"
	"vext/spool"
)

// Exit statuses.
const (
	exitOK    = 0
	exitError = 1 // a command failed
	exitUsage = 2
)

func main() {
	disk.SetUmask()
	// A list of a hundred thousand reminders must fit beside a mail server, so the
	// heap may grow by a quarter only.
	debug.SetGCPercent(25)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// With `vext list | head`, writing must return EPIPE, which run handles; the
	// signal would end the process.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line and returns its exit status. Nothing else turns
// an error into an exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (status int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(stderr, "vext: error: panic: %v\nvext: hint: this is a bug in vext; please report it with the command that led to it\n", r)
			status = exitError
		}
	}()
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, user: who(), root: os.Geteuid() == 0}
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	strictCompletion(root)
	cmd, err := root.ExecuteContextC(ctx)
	err = a.forCommitter(err)
	if cmd != nil && !cmd.Hidden { // a hook, or a shell that completes
		for _, hint := range a.hints {
			fmt.Fprintf(stderr, "vext: hint: %s\n", printable(hint))
		}
	}
	var code exitCode
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case errors.Is(err, syscall.EPIPE): // vext list | head
		return exitOK
	case errors.As(err, &usage):
		if hintFor(err) == "" {
			err = hinted{err, usageHint(cmd)}
		}
		report(stderr, err)
		return exitUsage
	}
	report(stderr, err)
	return exitError
}

// exitCode is the error of a command that has printed everything already.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit status %d", int(c)) }

// hinted is an error with advice on what to do about it.
type hinted struct {
	err  error
	hint string
}

func (e hinted) Error() string { return e.err.Error() }
func (e hinted) Unwrap() error { return e.err }

// maxErrors bounds the errors printed: thousands of mails can fail for one
// reason.
const maxErrors = 10

// report prints an error, one line for each error joined in it, and its hint.
func report(w io.Writer, err error) {
	var lines []string
	times := map[string]int{}
	for line := range strings.Lines(strings.TrimSpace(err.Error())) {
		if line = strings.TrimRight(line, "\n"); times[line] == 0 {
			lines = append(lines, line)
		}
		times[line]++
	}
	for i, line := range lines {
		if i == maxErrors {
			fmt.Fprintf(w, "vext: error: and %d more\n", len(lines)-i)
			break
		}
		if n := times[line]; n > 1 {
			line = fmt.Sprintf("%s (%d times)", line, n)
		}
		fmt.Fprintf(w, "vext: error: %s\n", printable(line))
	}
	if hint := hintFor(err); hint != "" {
		fmt.Fprintf(w, "vext: hint: %s\n", hint)
	}
}

// replacedHint is the hint for a state directory that another has replaced.
const replacedHint = "is its file system mounted? once the directory is back, vext continues by itself; to use another directory, restart vext serve, and correct state_id if it is set"

func hintFor(err error) string {
	var h hinted
	switch {
	case errors.As(err, &h):
		return h.hint
	case errors.As(err, new(*queue.ServingError)):
		return "stop that process first, or name another state directory with --state"
	case errors.Is(err, queue.ErrLocked):
		return "try again when that process has ended"
	case errors.Is(err, history.ErrLost):
		return "nothing is sent, because a reminder could be sent twice; restore the history from a backup, or remove history.sum in the state directory to continue without the lost records: vext-queue(7)"
	case spool.IsReplaced(err):
		return replacedHint
	case errors.Is(err, context.Canceled):
		return "nothing was lost; the next run continues"
	case errors.Is(err, syscall.ENOSPC):
		return "free some disk space; nothing was lost, and the next run continues"
	case errors.Is(err, fs.ErrPermission):
		return "run vext as the user that owns the state directory"
	}
	return ""
}

// newRoot returns the command line with all its commands.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "vext",
		Short: "Reminds committers of their commits",
		Long: `A commit says "MFC after: 2 weeks". Two weeks later vext reminds its committer.

Commits arrive as mails through vext-filter(1); at "vext serve" as webhooks of
forges or by LMTP; from hooks that "vext hook" installs; or from repositories that
"vext follow" fetches. "vext run", started by cron, schedules new reminders and
sends those that are due, by mail or on IRC. "vext serve" does the same without
cron. It also announces commits on IRC as they arrive, and can replace irkerd.`,
		Example: `  vext run                      schedule new reminders and send those due
  vext list                     pending reminders, by day
  vext snooze 0123456789ab 1 week
  vext stats --by month
  vext check                    findings: OK, WARNING or CRITICAL
  vext irc status               connections to IRC, and pending messages
  vext demo                     a demonstration, in ten seconds`,
		Args:          noArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.SetVersionTemplate("vext {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError(err) })
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error { return flagGroups(c) }
	flags := root.PersistentFlags()
	flags.StringVar(&a.configPath, "config", "", "configuration `FILE` (default $VEXT_CONFIG, else vext/vext.toml in /etc, /usr/local/etc or ~/.config)")
	flags.StringVar(&a.state, "state", "", "state directory `DIR` (default $VEXT_STATE, else as configured, else /var/spool/vext)")
	flags.StringVar(&a.nowFlag, "now", "", "use `TIME` as the current time: 2026-12-04, \"2026-12-04 15:00\" or RFC 3339")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "log to standard error what is done, and why")
	root.AddCommand(
		newRun(a), newList(a), newLog(a), newShow(a), newSnooze(a), newCancel(a), newRetry(a),
		newStats(a), newImport(a), newCheck(a), newServe(a), newFollow(a), newHook(a), newNotify(a), newIRCCommand(a), newDemo(a), newVersion(a),
	)
	root.SetHelpCommand(newHelp())
	a.completeFlags(root)
	return root
}
