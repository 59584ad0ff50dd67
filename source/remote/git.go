package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"vext/internal/hint"
	"vext/internal/program"
)

// A clone is the repository whose remotes are watched. Git runs in dir with the user's
// own environment, so GIT_DIR, includeIf and the configuration of a worktree count.
type clone struct {
	dir       string
	gitDir    string    // absolute
	commonDir string    // absolute; equal to gitDir but in a linked worktree
	top       string    // relative URLs of remotes begin there
	chatter   io.Writer // what git and ssh print
}

// openClone finds the repository of a directory.
func openClone(ctx context.Context, dir string, chatter io.Writer) (*clone, error) {
	c := &clone{dir: dir, chatter: &lockedWriter{w: chatter}}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s: no such directory", dir)
	}
	var err error
	if c.gitDir, err = c.revParse(ctx, "--git-dir"); err != nil {
		failure := new(program.Error)
		if errors.As(err, &failure); failure.Says("not a git repository") {
			err = hint.Wrap(fmt.Errorf("%s: not a git repository", dir), "go into a clone, or name it with -C")
		} else if failure.Says("dubious ownership") {
			err = hint.Wrap(err, "run vext remote as the user that owns the clone; or if you trust it: git config --global --add safe.directory DIR")
		}
		return nil, err
	}
	if c.commonDir, err = c.revParse(ctx, "--git-common-dir"); err != nil {
		return nil, err
	}
	if c.top, err = c.revParse(ctx, "--show-toplevel"); err != nil { // a bare repository
		c.top = c.gitDir
	}
	return c, nil
}

// revParse asks git for one path of the repository. A path may have newlines.
func (c *clone) revParse(ctx context.Context, what string) (string, error) {
	out, err := c.git(ctx, nil, "rev-parse", "--path-format=absolute", what)
	return strings.TrimSuffix(out, "\n"), err
}

// git runs a git command that contacts no remote, and returns its output.
func (c *clone) git(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	release, err := localTurn(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return c.run(ctx, gitRun{args: args, stdin: stdin})
}

// A gitRun is one git command.
type gitRun struct {
	args   []string
	env    []string
	stdin  io.Reader
	stderr io.Writer // beside the error; nil for none
}

func (c *clone) run(ctx context.Context, r gitRun) (string, error) {
	cmd := program.Command(ctx, "git", r.args...)
	cmd.Dir = c.dir
	cmd.Env = append(cmd.Env, r.env...)
	cmd.Stdin = r.stdin
	out, err := program.Output(ctx, cmd, r.stderr)
	if _, dirErr := os.Stat(c.dir); err != nil && dirErr != nil { // os/exec names git instead
		return "", dirErr
	}
	return out, err
}

// localGit has room for the git commands that contact no remote: at the start of the
// daemon a hundred remotes want one at once.
var localGit = make(chan struct{}, 8)

// localTurn waits for room for such a command.
func localTurn(ctx context.Context) (release func(), err error) {
	select {
	case localGit <- struct{}{}:
		return func() { <-localGit }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// A lockedWriter is for several programs.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
