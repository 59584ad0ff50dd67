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
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vext/internal/calendar"
	"vext/internal/disk"
	"vext/internal/hint"
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
	umask := disk.SetUmask()
	// A list of a hundred thousand reminders must fit beside a mail server, so the
	// heap may grow by a quarter only.
	debug.SetGCPercent(25)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// With `vext list | head`, writing must return EPIPE, which run handles; the
	// signal would end the process.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(run(ctx, umask, commandLine(os.Args), os.Stdin, os.Stdout, os.Stderr))
}

// commandLine returns the arguments. Under the name git-remote-daemon, which
// "git remote-daemon" looks for, the program is vext remote.
func commandLine(args []string) []string {
	if len(args) > 0 && filepath.Base(args[0]) == "git-remote-daemon" {
		return append([]string{"remote"}, args[1:]...)
	}
	return args[min(1, len(args)):]
}

// run executes one command line and returns its exit status. The user's umask is -1 when
// it is still that of the process. Nothing else turns
// an error into an exit status.
func run(ctx context.Context, umask int, args []string, stdin io.Reader, stdout, stderr io.Writer) (status int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(stderr, "vext: error: panic: %v\nvext: hint: this is a bug in vext; please report it with the command that led to it\n", r)
			status = exitError
		}
	}()
	out := &output{Writer: stdout}
	a := &app{stdin: stdin, stdout: out, stderr: stderr, user: who(), root: os.Geteuid() == 0, umask: umask}
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(out)
	root.SetErr(stderr)
	strictDefaults(root)
	cmd, err := root.ExecuteContextC(ctx)
	if err = a.forCommitter(err); err == nil {
		err = out.err
	}
	if cmd != nil && !cmd.Hidden { // a hook, or a shell that completes
		a.hint(a.hints...)
	}
	var code exitCode
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		if out.err != nil && !errors.Is(out.err, syscall.EPIPE) {
			report(stderr, out.err)
		}
		return int(code)
	case errors.Is(err, syscall.EPIPE): // vext list | head
		return exitOK
	case errors.As(err, &usage):
		if hintFor(err) == "" {
			err = hint.Wrap(err, usageHint(cmd))
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
	if text := hintFor(err); text != "" {
		fmt.Fprintf(w, "vext: hint: %s\n", text)
	}
}

// replacedHint is the hint for a state directory that another has replaced.
const replacedHint = "is its file system mounted? once the directory is back, vext continues by itself; to use another directory, restart vext serve, and correct state_id if it is set"

// hintFor returns the hint of an error, "" for none.
func hintFor(err error) string {
	text := hint.Of(err)
	switch {
	case text != "":
		return text
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

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "vext",
		Short: "Reminds committers of their commits",
		Long: `A commit says "MFC after: 2 weeks". Two weeks later vext reminds its committer.

Commits arrive as mails through vext-filter(1); at "vext serve" as webhooks of
forges or by LMTP; from hooks that "vext hook" installs; or from repositories that
"vext follow" fetches. "vext run", started by cron, schedules new reminders and
sends those that are due, by mail, on IRC or on XMPP. "vext serve" does the same without
cron. It also announces commits on IRC as they arrive, and can replace irkerd.`,
		Example: `  vext run                      schedule new reminders and send those due
  vext list                     pending reminders, by day
  vext snooze 0123456789ab 1 week
  vext stats --by month
  vext check                    findings: OK, WARNING or CRITICAL
  vext irc status               connections to IRC, and pending messages; vext xmpp status
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
		newRun(a), newList(a), newLog(a), newShow(a), newPending(a), newSnooze(a), newCancel(a), newMark(a), newRetry(a),
		newStats(a), newImport(a), newCheck(a), newServe(a), newFollow(a), newHook(a), newRemote(a), newAutosync(a), newNotify(a), newIRCCommand(a), newXMPPCommand(a), newConvention(a), newDemo(a), newVersion(a),
	)
	root.AddCommand(newRemind(a))
	return root
}

// Errors in a command line are printed in the words of vext, not in those of the
// library that reads it.

type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usageHint(c *cobra.Command) string {
	if c.Name() == "help" {
		c = c.Root()
	}
	return "see " + strings.Join(strings.Fields("vext help "+nameOf(c)), " ")
}

// nameOf returns the name of a command as it is typed behind vext: "follow add".
func nameOf(c *cobra.Command) string {
	return strings.TrimPrefix(strings.TrimPrefix(c.CommandPath(), "vext"), " ")
}

// takes checks that a command has at least min arguments, and at most max
// unless that is 0. what says which they are: "one ID".
func takes(min, max int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) >= min && (max == 0 || len(args) <= max) {
			return nil
		}
		got := "nothing"
		if len(args) > 0 {
			got = calendar.Plural(len(args), "argument")
		}
		return usageError{fmt.Errorf("%s takes %s, and got %s", nameOf(c), what, got)}
	}
}

// noArgs checks that a command has no arguments. Where it has commands below it,
// the first argument must be one of these.
func noArgs(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case c.HasAvailableSubCommands():
		return unknownCommand(c, args[0])
	}
	return usageError{fmt.Errorf("%s takes no arguments, and got %q", nameOf(c), args[0])}
}

func flagError(err error) error {
	var unknown *pflag.NotExistError
	var without *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		err = fmt.Errorf("unknown flag -%s; put a text that begins with - behind --", unknown.GetSpecifiedShortnames())
	case errors.As(err, &unknown):
		err = fmt.Errorf("unknown flag --%s", unknown.GetSpecifiedName())
	case errors.As(err, &without):
		err = fmt.Errorf("--%s needs a value", without.GetFlag().Name)
	case errors.As(err, &invalid):
		err = fmt.Errorf("--%s takes %s, and got %q", invalid.GetFlag().Name, valueName(invalid.GetFlag()), invalid.GetValue())
	}
	return usageError{err}
}

// valueName says what the value of a flag is: a duration, a number.
func valueName(f *pflag.Flag) string {
	switch t := f.Value.Type(); t {
	case "duration":
		return "a duration such as 90m or 36h"
	case "bool":
		return "true or false"
	case "int":
		return "a number"
	default:
		return "a " + t
	}
}

// flagGroups checks that no two flags are set that exclude each other.
func flagGroups(c *cobra.Command) error {
	err := c.ValidateFlagGroups()
	if err == nil {
		return nil
	}
	// if any flags in the group [due failed sent] ...; [failed sent] were all set
	_, set, _ := strings.Cut(err.Error(), "; [")
	if set, ok := strings.CutSuffix(set, "] were all set"); ok {
		err = fmt.Errorf("--%s exclude each other", strings.Join(strings.Fields(set), " and --"))
	}
	return usageError{err}
}

// strictDefaults makes cobra's own commands return an error for a command or a shell
// that does not exist.
func strictDefaults(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Use, c.Short, c.Long = "help [COMMAND]", "Print the help text of a command", ""
			c.RunE = func(c *cobra.Command, args []string) error {
				of, rest, err := c.Root().Find(args)
				if err != nil || len(rest) > 0 {
					return unknownCommand(of, rest[0])
				}
				of.InitDefaultHelpFlag()
				return of.Help()
			}
		case "completion":
			c.Args, c.RunE = noArgs, func(c *cobra.Command, _ []string) error { return c.Help() }
			for _, shell := range c.Commands() {
				shell.Args = noArgs
			}
		}
	}
}

// unknownCommand is the error of a command line that names no command below
// parent.
func unknownCommand(parent *cobra.Command, name string) error {
	err := usageError{fmt.Errorf("unknown command %q", strings.TrimPrefix(parent.CommandPath()+" "+name, "vext "))}
	if parent.SuggestionsMinimumDistance <= 0 {
		parent.SuggestionsMinimumDistance = 2
	}
	if similar := parent.SuggestionsFor(name); len(similar) > 0 {
		for i := range similar {
			similar[i] = parent.CommandPath() + " " + similar[i]
		}
		return hint.Wrap(err, "did you mean "+strings.Join(similar, ", or ")+"?")
	}
	return hint.Wrap(err, usageHint(parent))
}

// buildVersion is set by the Makefile.
var buildVersion = ""

func version() string {
	if buildVersion != "" {
		return buildVersion
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, the Go that built it, and the system",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintf(a.stdout, "vext %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}
