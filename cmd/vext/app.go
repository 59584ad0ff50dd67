package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/config"
	"vext/internal/hint"
	"vext/queue"
	"vext/server"
	"vext/server/control"
)

// app is what all commands share: the flags before the command, and what these
// open.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	configPath, state, nowFlag string
	verbose                    bool
	user                       string   // who runs the command
	root                       bool     // the process was started by root
	umask                      int      // with which vext was started; -1 when it was not changed
	makeState                  bool     // the command may create the user's own state directory
	hints                      []string // on the configuration, printed after the command

	serving *server.Server  // vext serve, where it runs the command; nil for all others
	caller  *control.Caller // the user for whom vext serve runs the command
}

// who returns the name of the user for the history: the user before sudo, if any.
func who() string {
	return cmp.Or(os.Getenv("SUDO_USER"), os.Getenv("DOAS_USER"), server.CurrentUser())
}

// untilHangup returns a context that also ends when the terminal is closed, unless the process
// is to ignore that, as under nohup.
func untilHangup(ctx context.Context) (context.Context, context.CancelFunc) {
	if signal.Ignored(syscall.SIGHUP) {
		return ctx, func() {}
	}
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}

// log returns a logger for events of that level, or for all with -v.
func (a *app) log(level slog.Level) *slog.Logger {
	if a.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
}

func (a *app) hint(texts ...string) {
	for _, text := range texts {
		fmt.Fprintf(a.stderr, "vext: hint: %s\n", printable(text))
	}
}

// quiet is the level of a log that nothing reaches without -v.
const quiet = slog.LevelError + 1

func (a *app) load() (*server.Server, error) {
	if a.serving != nil {
		return a.serving, nil
	}
	c, err := server.Load(a.configPath)
	if err != nil {
		return nil, err
	}
	a.hints = c.Hints
	return a.serverFor(c)
}

// serverFor returns the server of a configuration, with the flags of the command.
func (a *app) serverFor(c *config.Config) (*server.Server, error) {
	now := time.Now
	if a.nowFlag != "" {
		t, err := calendar.ParseTime(a.nowFlag, c.Zone)
		if err != nil {
			return nil, usageError{fmt.Errorf("--now: %w", err)}
		}
		now = func() time.Time { return t }
	}
	stdout := a.stdout
	if o, ok := stdout.(*output); ok {
		stdout = o.Writer // a mail that could not be written there is retried
	}
	return &server.Server{
		Config: c, State: a.state, MakeState: a.makeState, Version: version(), Now: now,
		Log: a.log(slog.LevelError), Stdout: stdout, Progress: a.progress,
	}, nil
}

func (a *app) open() (*server.Server, *queue.Queue, error) {
	s, err := a.load()
	if err != nil {
		return nil, nil, err
	}
	q, err := s.Queue()
	return s, q, err
}

// lockWait is how long a person waits for a run to end.
const lockWait = 30 * time.Second

func (a *app) locked(ctx context.Context, fn func(*server.Server, *queue.Queue) error) error {
	s, q, err := a.open()
	if err != nil {
		return err
	}
	lock, err := queue.Acquire(ctx, q.State, lockWait)
	if err != nil {
		return err
	}
	defer lock.Release()
	return fn(s, q)
}

// change calls fn with the reminder of an ID, or with the one that has replaced it.
func (a *app) change(ctx context.Context, id string, fn func(*queue.Queue, *queue.Item) error) error {
	return a.locked(ctx, func(_ *server.Server, q *queue.Queue) error {
		item, successor, err := a.find(q, id)
		if err != nil {
			return err
		}
		if successor != nil {
			fmt.Fprintln(a.stdout, amended(item, successor))
			item = successor
		}
		return fn(q, item)
	})
}

// find returns the reminder of an ID among those that the user may see. If its
// commit was amended or rebased, successor is the reminder that has replaced it.
func (a *app) find(q *queue.Queue, id string) (item, successor *queue.Item, err error) {
	advice := "an ID is the first digits, at least four, of a commit's hash, a revision such as r1234, or a message's name as vext list --failed shows it"
	sees := func(*queue.Item) bool { return true }
	if a.caller != nil {
		advice = "an ID stands in the reminder itself, in its lines vext snooze and vext cancel; only reminders to " + strings.Join(a.caller.Addresses, ", ") + " can be found"
		sees = func(item *queue.Item) bool { return control.Contains(a.caller.Addresses, item.Address) }
	}
	items, err := q.Find(id, sees)
	if err == nil {
		item = &items[0]
		successor, err = q.Successor(item, sees)
	}
	if err == nil && successor == nil && !item.IsKept() { // its message is gone
		err = queue.ErrNotFound
	}
	switch {
	case errors.Is(err, queue.ErrNotFound):
		return nil, nil, hint.Wrap(fmt.Errorf("%w: %s", err, id), advice)
	case errors.Is(err, queue.ErrAmbiguous):
		var names []string
		for i := range items[:min(len(items), 5)] {
			names = append(names, items[i].Name)
		}
		if more := len(items) - len(names); more > 0 {
			names = append(names, fmt.Sprintf("and %d more", more))
		}
		return nil, nil, hint.Wrap(fmt.Errorf("%w begins with %s", err, id), "name one of them: "+strings.Join(names, ", "))
	case err != nil:
		return nil, nil, err
	}
	return item, successor, nil
}

// amended says which reminder has replaced another.
func amended(item, successor *queue.Item) string {
	return printable(item.Short() + " was amended or rebased to " + successor.Short())
}

// title names a reminder in an answer: the commit and its subject.
func title(item *queue.Item) string {
	return printable(strings.TrimSpace(cmp.Or(commit.ShortRevision(item.Revision), item.Name) + " " + item.Subject))
}

// Rights on the state directory that a command needs, as for access(2).
const (
	toRead   = unix.R_OK | unix.X_OK
	toChange = unix.R_OK | unix.W_OK | unix.X_OK
)

// orControl returns run for a user who has the rights on the state directory. For
// any other user it returns a function that sends the command to vext serve through
// the control socket.
func (a *app) orControl(rights uint32, run func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		// With --state a command never uses the socket: vext serve may have another
		// directory.
		if a.caller != nil || os.Geteuid() == 0 || a.state != "" || os.Getenv("VEXT_CONTROL") == "" && a.reaches(rights) {
			return run(cmd, args)
		}
		path := a.controlSocket()
		if path == "" {
			err := run(cmd, args)
			if err == nil || !a.isClosed(err) {
				return err
			}
			return hint.Wrap(err, "there is no control socket of vext serve at "+strings.Join(control.Paths, " or ")+
				"; if it is elsewhere: export VEXT_CONTROL=/path/of/the/socket, see docs/committers.md; as the operator, run vext as the user that owns the state directory")
		}
		if a.nowFlag != "" {
			return usageError{errors.New("--now can't be used through the control socket: vext serve uses the system's clock")}
		}
		return callControl(a, cmd, path, args)
	}
}

// reaches reports whether the configuration is readable, and the user has these
// rights on the state directory.
func (a *app) reaches(rights uint32) bool {
	s, err := a.load()
	if err != nil {
		return !errors.Is(err, fs.ErrPermission)
	}
	state, err := s.StateDir()
	return err == nil && unix.Access(state, rights) == nil
}

// controlSocket returns the path of the socket: from $VEXT_CONTROL, from the
// configuration, or a default path. It is "" when there is none.
func (a *app) controlSocket() string {
	if path := os.Getenv("VEXT_CONTROL"); path != "" {
		return path
	}
	if s, err := a.load(); err == nil && s.Config.Control.Socket != "" {
		return s.Config.Control.Socket
	}
	for _, path := range control.Paths {
		if _, err := os.Lstat(path); err == nil {
			return path
		}
	}
	return ""
}

// isClosed reports whether err means that the user may not read the state directory
// or the configuration of another user.
func (a *app) isClosed(err error) bool {
	if !errors.Is(err, fs.ErrPermission) && !errors.As(err, new(server.NoStateError)) {
		return false
	}
	if a.caller != nil || a.state != "" || a.root || a.reaches(toRead) {
		return false
	}
	s, err := a.load()
	return err != nil || !server.IsOwn(s.Config.Path)
}

// forCommitter adds to the error of an operator's command what a committer can do
// through the control socket.
func (a *app) forCommitter(err error) error {
	if err == nil || !a.isClosed(err) {
		return err
	}
	path := a.controlSocket()
	if _, statErr := os.Lstat(path); path == "" || statErr != nil {
		return err
	}
	return hint.Wrap(err, "you can show, snooze and cancel your own reminders here, by the ID in the mail")
}

func callControl(a *app, cmd *cobra.Command, path string, args []string) error {
	request := &control.Request{Command: cmd.Name(), Args: args, Flags: map[string]string{}}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if cmd.InheritedFlags().Lookup(f.Name) == nil { // vext serve has its own configuration
			request.Flags[f.Name] = f.Value.String()
		}
	})
	answer, err := control.Call(cmd.Context(), path, request)
	if err != nil {
		return notAnswered(path, err)
	}
	if _, err := a.stdout.Write(answer.Output); err != nil {
		return err
	}
	if answer.Error == "" {
		return nil
	}
	err = errors.New(answer.Error)
	if answer.Usage {
		err = usageError{err}
	}
	if answer.Hint != "" {
		err = hint.Wrap(err, answer.Hint)
	}
	return err
}

// notAnswered returns the error of a control socket that can't be connected to.
func notAnswered(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ECONNREFUSED):
		return hint.Wrap(fmt.Errorf("vext serve does not answer at %s", path),
			"it does not run, or its socket is elsewhere: export VEXT_CONTROL=/path/of/the/socket; otherwise ask the operator of vext")
	case errors.Is(err, fs.ErrPermission):
		// Not the error of a file that only the operator may read, see forCommitter.
		return hint.Wrap(fmt.Errorf("control socket %s: permission denied", path), "ask the operator of vext: every user must be able to enter its directory")
	}
	return hint.Wrap(fmt.Errorf("control socket: %w", err), "ask the operator of vext")
}
