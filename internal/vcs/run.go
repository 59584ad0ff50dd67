package vcs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"vext/internal/text"
	"vext/internal/weburl"
)

// command prepares a program that runs in dir and reads a repository that another user
// may own. Whatever the configuration and the files of the repository contain, the
// program starts no other program and contacts no server. It does not inherit the
// environment of a hook, does not prompt for a password, and prints English messages.
//
// SECURITY.md lists the settings that are switched off. Only command and remote make
// processes of git, hg and svn.
func command(ctx context.Context, kind Kind, dir string, args ...string) *exec.Cmd {
	if kind == Git {
		args = append(gitOff("core.sshCommand=false", "core.gitProxy=false", "core.askPass=false", "credential.helper="), args...)
	}
	cmd := program(ctx, kind, dir, args...)
	cmd.Env = append(cmd.Env, "GIT_ALLOW_PROTOCOL=") // none, also in versions of git without GIT_NO_LAZY_FETCH
	return cmd
}

// remote prepares a program that reads the repository at a URL. args contain
// the URL without its password, as at.String() returns it. The program gets the
// password in its environment or on its standard input, which ps(1) does not show.
func remote(ctx context.Context, kind Kind, dir string, at weburl.URL, args ...string) *exec.Cmd {
	user, password, hasLogin := at.Login()
	switch kind {
	case Git:
		if hasLogin {
			helper := "credential." + at.Server() + ".helper="
			args = slices.Concat([]string{"-c", helper, "-c", helper + credentialHelper}, args)
		}
		cmd := program(ctx, kind, dir, append(gitOff(), args...)...)
		if hasLogin {
			cmd.Env = append(cmd.Env, "VEXT_USER="+user, "VEXT_PASSWORD="+password)
		}
		return cmd
	case Hg:
		options := []string{"--noninteractive"}
		if hasLogin {
			options = []string{"--config", "ui.interactive=yes", "--config", "ui.nontty=yes"}
		}
		cmd := program(ctx, kind, dir, append(append(options, "--config", "ui.ssh=ssh -o BatchMode=yes -o ConnectTimeout=30"), args...)...)
		if answers := password + "\n"; hasLogin {
			if !strings.Contains(at.String(), "@") { // hg then prompts for the user name, too
				answers = user + "\n" + answers
			}
			cmd.Stdin = strings.NewReader(answers)
		}
		return cmd
	}
	options := []string{"--non-interactive"}
	if hasLogin {
		options = append(options, "--no-auth-cache", "--username="+user, "--password-from-stdin")
	}
	cmd := program(ctx, kind, dir, append(options, args...)...)
	if hasLogin {
		cmd.Stdin = strings.NewReader(password + "\n")
	}
	return cmd
}

// credentialHelper is the only credential helper that git may use, both to get a
// password and to store one (gitcredentials(7)).
const credentialHelper = `!f() { test "$1" = get && printf 'username=%s\npassword=%s\n' "$VEXT_USER" "$VEXT_PASSWORD"; }; f`

// gitOff returns the options that switch off every setting by which a repository's
// configuration could have git run a program, followed by further settings. They
// replace git's own check of who owns a repository.
func gitOff(more ...string) []string {
	options := []string{"--no-pager"}
	for _, setting := range append([]string{
		"safe.directory=*", "core.fsmonitor=false", "log.showSignature=false", "gpg.program=false", "gpg.ssh.program=false",
		"core.alternateRefsCommand=false",
	}, more...) {
		options = append(options, "-c", setting)
	}
	return options
}

// uploadPack is the command that git runs to read a repository on this machine,
// which may belong to another user. Git does not pass its own options on to it.
func uploadPack() string {
	return "GIT_ALLOW_PROTOCOL= git '" + strings.Join(gitOff("credential.helper="), "' '") + "' upload-pack"
}

// program prepares a program with the environment that all of them have.
func program(ctx context.Context, kind Kind, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, string(kind), args...)
	cmd.Dir = dir
	cmd.Env = append(environment(), "LC_ALL=C.UTF-8", "SVN_SSH=ssh -q -o BatchMode=yes -o ConnectTimeout=30",
		"HGPLAIN=1", "HGENCODING=utf-8", "HGRCSKIPREPO=1",
		"GIT_NO_LAZY_FETCH=1", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0",
		"GIT_FLUSH=0") // else git log writes commit by commit
	if os.Getenv("GIT_SSH_COMMAND") == "" && os.Getenv("GIT_SSH") == "" {
		cmd.Env = append(cmd.Env, "GIT_SSH_COMMAND=ssh -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=15")
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// localVariables are the variables that git sets for hooks and that would direct git
// commands to another repository (git-rev-parse(1), --local-env-vars).
var localVariables = []string{
	"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CONFIG", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT", "GIT_OBJECT_DIRECTORY",
	"GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE", "GIT_INDEX_FILE", "GIT_NO_REPLACE_OBJECTS",
	"GIT_REPLACE_REF_BASE", "GIT_PREFIX", "GIT_SHALLOW_FILE", "GIT_COMMON_DIR", "GIT_INTERNAL_SUPER_PREFIX",
	"GIT_NAMESPACE", "GIT_QUARANTINE_PATH", "GIT_LITERAL_PATHSPECS",
}

// IsLocalVariable reports whether an entry of the environment, "NAME=value", directs git to
// one repository, or to a part of it.
func IsLocalVariable(entry string) bool {
	name, _, _ := strings.Cut(entry, "=")
	return slices.Contains(localVariables, name)
}

func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return IsLocalVariable(entry) || strings.HasPrefix(name, "LC_") || name == "LANG" || name == "LANGUAGE" ||
			name == "GIT_ASKPASS" || name == "SSH_ASKPASS" // there is no user to answer
	})
}

// An Error is the failure of a program.
type Error struct {
	Command string // "git fetch"
	Stderr  string // the end of its standard error, on one line
	Err     error
}

func (e *Error) Error() string {
	if e.Stderr == "" {
		return e.Command + ": " + e.Err.Error()
	}
	return e.Command + ": " + e.Stderr
}

func (e *Error) Unwrap() error { return e.Err }

func failed(cmd *exec.Cmd, stderr string, err error) error {
	name := cmd.Args[0]
	for _, arg := range cmd.Args[1:] { // the subcommand; a value of an option has = or /
		if !strings.HasPrefix(arg, "-") && !strings.ContainsAny(arg, "=/") {
			name += " " + arg
			break
		}
	}
	if _, dirErr := os.Stat(cmd.Dir + "/."); cmd.Dir != "" && dirErr != nil { // exec names only the program
		return &Error{name, "", dirErr}
	}
	if errors.Is(err, exec.ErrNotFound) {
		return &Error{cmd.Args[0], "the program is not installed", err}
	}
	return &Error{name, text.Shorten(text.OneLine(weburl.Hide(summary(stderr))), 400), err}
}

// noiseLines are the prefixes of lines without information.
var noiseLines = []string{"hint: ", "Please make sure you have", "and the repository exists.", "warning: W", "svn: warning: W"}

// ownerAdvice corrects the advice that git prints before 2.38, which does not read
// safe.directory from the command line. The user of a service has no home
// directory, so --global does not help.
var ownerAdvice = strings.NewReplacer("To add an exception for this directory, call:\n\n\tgit config --global", "as root: git config --system")

// summary returns the error messages of a program as one line.
func summary(stderr string) string {
	var lines []string
	stderr = ownerAdvice.Replace(stderr)
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		if line == "" || slices.ContainsFunc(noiseLines, func(start string) bool { return strings.HasPrefix(line, start) }) {
			continue
		}
		for _, mark := range []string{"fatal: ", "abort: ", "error: ", "svn: "} {
			line = strings.TrimPrefix(line, mark)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

// stream runs a program and calls read with its output. An error of read ends the
// program and is returned unchanged.
func stream(ctx context.Context, cmd *exec.Cmd, read func(io.Reader) error) error {
	var stderr text.Tail
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return failed(cmd, "", err)
	}
	readErr := read(out)
	if readErr != nil {
		cmd.Cancel()
	}
	_, drainErr := io.Copy(io.Discard, out)
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", cmd.Args[0], ctx.Err())
	case err != nil && (readErr == nil || errors.Is(readErr, errCut)):
		return failed(cmd, stderr.String(), err)
	case readErr != nil:
		return readErr
	}
	return drainErr
}

// errCut says that the output of a program ended early.
var errCut = errors.New("its output was truncated")

// output runs a program and returns its output.
func output(ctx context.Context, cmd *exec.Cmd) (string, error) {
	var out []byte
	err := stream(ctx, cmd, func(r io.Reader) (err error) {
		out, err = io.ReadAll(r)
		return err
	})
	return string(out), err
}
