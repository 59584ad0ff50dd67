package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"vext/control"
	"vext/internal/config"
	"vext/internal/socket"
	"vext/queue"
)

// controlCommands are the commands that users may run through the control socket.
// None of their flags may name a file: vext serve, not the user, would open it.
var controlCommands = map[string]func(*app) *cobra.Command{"show": newShow, "snooze": newSnooze, "cancel": newCancel}

// Rights on the state directory that a command takes, as access(2) has them.
const (
	toRead   = unix.R_OK | unix.X_OK
	toChange = unix.R_OK | unix.W_OK | unix.X_OK
)

// orControl returns run for a user who has the rights on the state directory. For
// any other user it returns a function that has vext serve do the same, through
// the control socket.
func (a *app) orControl(rights uint32, run func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if a.caller != nil || a.hasRights(rights) {
			return run(cmd, args)
		}
		path := a.controlSocket()
		if path == "" {
			return a.noSocket(run(cmd, args))
		}
		if a.nowFlag != "" {
			return usageError{errors.New("--now can't be used through the control socket: vext serve uses the system's clock")}
		}
		return a.callControl(cmd, path, args)
	}
}

// hasRights reports whether a command can work on the state directory directly.
// A command with --state always does: vext serve may have another directory.
func (a *app) hasRights(rights uint32) bool {
	if os.Geteuid() == 0 || a.state != "" {
		return true
	}
	return os.Getenv("VEXT_CONTROL") == "" && a.reaches(rights)
}

// reaches reports whether the configuration can be read, and the user has these
// rights on the state directory.
func (a *app) reaches(rights uint32) bool {
	c, err := a.load()
	if err != nil {
		return !errors.Is(err, fs.ErrPermission)
	}
	state, err := a.stateDir(c)
	return err == nil && unix.Access(state, rights) == nil
}

// controlSocket returns the path of the socket: from $VEXT_CONTROL, from the
// configuration, or one at a default path. It is "" when there is none.
func (a *app) controlSocket() string {
	if path := os.Getenv("VEXT_CONTROL"); path != "" {
		return path
	}
	if c, err := a.load(); err == nil && c.Control.Socket != "" {
		return c.Control.Socket
	}
	for _, path := range control.Paths {
		if _, err := os.Lstat(path); err == nil {
			return path
		}
	}
	return ""
}

// A noStateError says that a user has no state directory to work with.
type noStateError struct{ error }

func (e noStateError) Unwrap() error { return e.error }

// isClosed reports whether err comes from what the user may not see: the state
// directory or the configuration of somebody else.
func (a *app) isClosed(err error) bool {
	if !errors.Is(err, fs.ErrPermission) && !errors.As(err, new(noStateError)) {
		return false
	}
	if a.caller != nil || a.state != "" || a.root || a.reaches(toRead) {
		return false
	}
	c, err := a.load()
	return err != nil || !isOwn(c.Path)
}

// forCommitter adds to the error of a command that is the operator's what a
// committer can do where there is a control socket.
func (a *app) forCommitter(err error) error {
	if err == nil || !a.isClosed(err) {
		return err
	}
	path := a.controlSocket()
	if path == "" {
		return err
	}
	if _, statErr := os.Lstat(path); statErr != nil {
		return err
	}
	return hinted{err, "you can show, snooze and cancel your own reminders here, by the ID in the mail"}
}

// noSocket adds to the error of a command for committers where the control
// socket would be.
func (a *app) noSocket(err error) error {
	if err == nil || !a.isClosed(err) {
		return err
	}
	return hinted{err, "there is no control socket of vext serve at " + strings.Join(control.Paths, " or ") +
		"; if it is elsewhere: export VEXT_CONTROL=/path/of/the/socket, see docs/committers.md; as the operator, run vext as the user that owns the state directory"}
}

// notAnswered is the error of a control socket that can't be connected to.
func notAnswered(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ECONNREFUSED):
		return hinted{fmt.Errorf("vext serve does not answer at %s", path),
			"it does not run, or its socket is elsewhere: export VEXT_CONTROL=/path/of/the/socket; otherwise ask the operator of vext"}
	case errors.Is(err, fs.ErrPermission):
		return hinted{fmt.Errorf("control socket %s: permission denied", path), "ask the operator of vext: every user must be able to enter its directory"}
	}
	return hinted{fmt.Errorf("control socket: %w", err), "ask the operator of vext"}
}

// callControl has vext serve run a command.
func (a *app) callControl(cmd *cobra.Command, path string, args []string) error {
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
		err = hinted{err, answer.Hint}
	}
	return err
}

// openControl returns the server of the control socket, nil when the socket is
// not configured.
func (a *app) openControl(c *config.Config, q *queue.Queue, log *slog.Logger) (task, error) {
	path := c.Control.Socket
	if path == "" {
		return nil, nil
	}
	l, err := control.Listen(path)
	if err != nil {
		return nil, hinted{fmt.Errorf("control socket: %w", err), listenHint(err, path)}
	}
	log.Info("listening for commands of users", "socket", path)
	server := &control.Server{Users: controlUsers(c), Log: log, Do: func(ctx context.Context, caller *control.Caller, r *control.Request) *control.Answer {
		var out bytes.Buffer
		b := &app{stdin: strings.NewReader(""), stdout: &out, stderr: a.stderr, state: q.State, stateID: a.stateID, user: caller.Login, loaded: c, caller: caller}
		err := b.controlled(ctx, r)
		answer := &control.Answer{Output: out.Bytes(), Usage: errors.As(err, new(usageError))}
		if err != nil {
			answer.Error, answer.Hint = err.Error(), hintFor(err)
		}
		return answer
	}}
	return func(ctx context.Context) error { return server.Serve(ctx, l) }, nil
}

// listenHint says what to do when the control socket can't be created.
func listenHint(err error, path string) string {
	dir := filepath.Dir(path)
	switch {
	case errors.Is(err, socket.ErrUsersHidden):
		return "set PrivateUsers=no in the unit of systemd, or run vext serve without a user namespace"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("make its directory for the user that runs vext serve: install -d -o %s -m 755 %s; systemd does it with RuntimeDirectory=%s", currentUser(), dir, filepath.Base(dir))
	}
	return "see [control] in vext.toml(5)"
}

func controlUsers(c *config.Config) *control.Users {
	return &control.Users{Table: c.Users, Domain: c.Control.Domain}
}

// controlled runs a command for the user who asked for it.
func (a *app) controlled(ctx context.Context, r *control.Request) error {
	newCommand, known := controlCommands[r.Command]
	if !known {
		return usageError{fmt.Errorf("%q is not a command of the control socket", r.Command)}
	}
	if len(a.caller.Addresses) == 0 {
		hint := "no address is configured for you; ask the operator of vext"
		if operator := a.loaded.Operator; operator != "" {
			hint += ", " + operator
		}
		return hinted{fmt.Errorf("user %s is not a committer here", a.caller.Login), hint}
	}
	cmd := newCommand(a)
	cmd.SetContext(ctx)
	for name, value := range r.Flags {
		if err := cmd.Flags().Set(name, value); err != nil {
			return usageError{err}
		}
	}
	if err := flagGroups(cmd); err != nil {
		return err
	}
	if err := cmd.Args(cmd, r.Args); err != nil {
		return err
	}
	return cmd.RunE(cmd, r.Args)
}

// worksFor returns a function that reports whether the commands in a reminder
// work for its recipient on this machine: through the control socket, or because
// this vext belongs to the recipient.
func worksFor(c *config.Config) func(address string) bool {
	users := controlUsers(c)
	return func(address string) bool {
		if c.Control.Socket != "" && users.Has(address) {
			return true
		}
		return isOwn(c.Path) && len(c.Reminders.Allow) == 1 && strings.EqualFold(c.Reminders.Allow[0], address)
	}
}
