// Package program runs git, and what git starts, without a terminal, in a process group
// that ends as a whole, and says in few words what failed.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"vext/internal/text"
	"vext/internal/weburl"
)

// killAfter is how long a program has, after SIGTERM, to remove its lock files.
const killAfter = 500 * time.Millisecond

// Command prepares a program that runs in a process group of its own, without a
// terminal. When ctx ends, the whole group ends: ssh is a grandchild.
func Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		group := -cmd.Process.Pid
		time.AfterFunc(killAfter, func() { syscall.Kill(group, syscall.SIGKILL) })
		return syscall.Kill(group, syscall.SIGTERM)
	}
	cmd.WaitDelay = killAfter + 200*time.Millisecond
	cmd.Env = append(environment(), unattended...)
	return cmd
}

// unattended are the variables with which git and ssh never ask for anything, and print
// messages that can be parsed.
var unattended = []string{
	"GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=", "SSH_ASKPASS_REQUIRE=never", "GCM_INTERACTIVE=never",
	"LC_ALL=C", "LANGUAGE=C", "GIT_OPTIONAL_LOCKS=0", "GIT_FLUSH=1",
}

// environment returns the variables of this process without those of the unattended
// ones, which only count when they are not there twice.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.ContainsFunc(unattended, func(u string) bool { return strings.HasPrefix(u, name+"=") })
	})
}

// maxOutput bounds what a command may print, in bytes: a server may have refs without end.
const maxOutput = 128 << 20

// Output runs a command and returns its output, also when the command fails: git
// merge-tree says with its exit status that there are conflicts. stderr, if any, also gets
// what it prints beside that.
func Output(ctx context.Context, cmd *exec.Cmd, stderr io.Writer) (string, error) {
	var end text.Tail
	cmd.Stderr = &end
	if stderr != nil {
		cmd.Stderr = io.MultiWriter(&end, stderr)
	}
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return "", failed(ctx, cmd, "", err)
	}
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(cmd.WaitDelay, func() { pipe.Close() }) })
	defer stop()
	out, readErr := io.ReadAll(io.LimitReader(pipe, maxOutput+1))
	isTooLong := len(out) > maxOutput
	if isTooLong {
		cmd.Cancel()
	}
	err = cmd.Wait()
	if isTooLong {
		err = fmt.Errorf("it prints more than %d MB", maxOutput>>20)
	}
	if errors.Is(err, exec.ErrWaitDelay) { // an ssh that it started as a master still has stderr
		err = nil
	}
	if err == nil {
		err = readErr
	}
	if err != nil {
		err = failed(ctx, cmd, end.String(), err)
	}
	return string(out), err
}

// failed returns the error of a command.
func failed(ctx context.Context, cmd *exec.Cmd, stderr string, err error) error {
	switch {
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		return errors.New(cmd.Args[0] + " is not installed")
	}
	return &Error{cmd.Args[0], subcommand(cmd.Args[1:]), stderr, err}
}

// subcommand returns the first argument that is neither an option nor its value.
func subcommand(args []string) string {
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "-c", args[i] == "-C":
			i++
		case !strings.HasPrefix(args[i], "-"):
			return args[i]
		}
	}
	return ""
}

// A Error is the failure of a command.
type Error struct {
	Program string // "git"
	Command string // "fetch"; "" if the program has no commands
	Stderr  string // its end
	Err     error
}

func (e *Error) Unwrap() error { return e.Err }

func (e *Error) Error() string {
	words := Messages(e.Stderr)
	if words == "" {
		words = e.Err.Error()
	}
	switch {
	case e.Says("could not read Username", "could not read Password"):
		words += "; have a credential helper store the login: gitcredentials(7), and git fetch once by hand"
	case e.Says("Authentication failed for"):
		words += "; the stored login is rejected: git fetch by hand asks for another one"
	}
	return strings.TrimSpace(e.Program+" "+e.Command) + ": " + words
}

// Says reports whether the command has printed one of these texts.
func (e *Error) Says(texts ...string) bool {
	return slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(e.Stderr, t) })
}

// Status returns the exit status of a command, -1 if it was killed or not started.
func (e *Error) Status() int {
	var exit *exec.ExitError
	if errors.As(e.Err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

// advice are the beginnings of lines that say what every reader knows.
var advice = []string{"hint:", "From ", "Please make sure you have", "and the repository exists.", "fatal: Could not read from remote"}

// unconnected is a line of git that the next one explains: an address and its error.
var unconnected = regexp.MustCompile(`(?m)^(fatal: unable to connect to .*:)\n`)

// Messages returns the errors in what a program has printed, on one line. Without
// errors it returns everything.
func Messages(stderr string) string {
	var errs, all []string
	stderr = unconnected.ReplaceAllString(stderr, "$1 ")
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		if line == "" || slices.ContainsFunc(advice, func(start string) bool { return strings.HasPrefix(line, start) }) {
			continue
		}
		plain := line
		for _, mark := range []string{"fatal: ", "error: ", "ssh: "} {
			plain = strings.TrimPrefix(plain, mark)
		}
		if plain != line || strings.HasPrefix(line, "! [") {
			errs = append(errs, plain)
		}
		all = append(all, plain)
	}
	if len(errs) == 0 {
		errs = all
	}
	return text.Shorten(text.OneLine(weburl.Hide(strings.Join(errs, "; "))), MaxMessage)
}

// MaxMessage bounds the words of an error, in bytes.
const MaxMessage = 400
