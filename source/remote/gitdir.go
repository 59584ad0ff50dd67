package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"vext/internal/program"
	"vext/internal/vcs"
)

// A gitDir is where git has the refs of a repository on this machine.
type gitDir struct {
	own    string // the git directory of its work tree, which has HEAD
	common string // what all its work trees share; usually the same
}

// errBundle says that a remote is a file that git-bundle(1) has written.
var errBundle = &unsupportedError{"it is a bundle, and no repository"}

// findGitDir finds the repository that git fetches from when it is given a path. As with
// git-upload-pack, a path may lack ".git" or "/.git", and no directory above it counts.
func findGitDir(ctx context.Context, path string) (gitDir, error) {
	path, err := expandHome(path)
	if err != nil {
		return gitDir{}, err
	}
	reason := fmt.Errorf("%s: no such directory", path)
	for _, suffix := range []string{"/.git", "", ".git/.git", ".git"} {
		candidate := filepath.Clean(path + suffix)
		info, err := os.Stat(candidate)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
			continue
		case err != nil:
			return gitDir{}, err
		case info.Mode().IsRegular() && isBundle(candidate):
			return gitDir{}, errBundle
		}
		out, err := gitIn(ctx, candidate, "rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir")
		var failure *program.Error
		switch dirs := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"); {
		case err == nil && len(dirs) == 2:
			return gitDir{own: dirs[0], common: dirs[1]}, nil
		case err == nil:
			return gitDir{}, &unsupportedError{"its path has a newline"}
		case ctx.Err() != nil:
			return gitDir{}, ctx.Err()
		case errors.As(err, &failure) && failure.Says("not a git repository"):
			reason = fmt.Errorf("%s: not a git repository", path)
		default:
			reason = fmt.Errorf("%s: %w", path, err) // such as an unknown format of refs
		}
	}
	return gitDir{}, reason
}

// isBundle reports whether a file begins as a bundle does, gitformat-bundle(5).
func isBundle(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	head := make([]byte, len("# v2 git bundle"))
	n, _ := file.Read(head)
	return n == len(head) && bytes.HasPrefix(head, []byte("# v")) && bytes.HasSuffix(head, []byte(" git bundle"))
}

// expandHome replaces ~ and ~user at the start of a path.
func expandHome(path string) (string, error) {
	if !strings.HasPrefix(path, "~") {
		return path, nil
	}
	name, rest, _ := strings.Cut(path[1:], "/")
	if name == "" {
		home, err := os.UserHomeDir()
		return filepath.Join(home, rest), err
	}
	of, err := user.Lookup(name)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return filepath.Join(of.HomeDir, rest), nil
}

// snapshot returns the names and values of all refs, one a line, sorted by name. HEAD is
// among them by the name of its branch, so that it changes only when it is set.
func (g gitDir) snapshot(ctx context.Context) ([]byte, error) {
	refs, err := gitIn(ctx, g.own, "for-each-ref", "--format=%(refname) %(objectname) %(symref)")
	if err != nil {
		return nil, err
	}
	head, err := g.head(ctx)
	return slices.Concat([]byte("HEAD "), bytes.TrimSpace(head), []byte("\n"), refs), err
}

// head returns what HEAD is set to. The format reftable has it elsewhere than in its file.
func (g gitDir) head(ctx context.Context) ([]byte, error) {
	if _, err := os.Stat(filepath.Join(g.common, "reftable")); err != nil {
		return os.ReadFile(filepath.Join(g.own, "HEAD"))
	}
	head, err := gitIn(ctx, g.own, "symbolic-ref", "--quiet", "HEAD")
	if err != nil { // it is detached
		head, err = gitIn(ctx, g.own, "rev-parse", "--verify", "HEAD")
	}
	return head, err
}

// inTime bounds a git command on another's repository: a FIFO, or a disk that is gone, would
// have it wait for ever.
const inTime = 2 * time.Minute

// gitIn runs git on the repository whose git directory is given, whatever the environment
// says, and returns what it prints. The repository may be another user's, and its
// configuration must not have git start a program: git does that to fetch the objects that a
// partial clone lacks.
func gitIn(ctx context.Context, dir string, args ...string) ([]byte, error) {
	return gitAt(ctx, dir, []string{"GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none"}, args...)
}

// lsRemoteIn lists the refs that git-upload-pack shows of a repository. It ignores the
// configuration there, which could replace git-upload-pack.
func lsRemoteIn(ctx context.Context, dir string) ([]byte, error) {
	return gitAt(ctx, os.DevNull, []string{"GIT_ALLOW_PROTOCOL=file"}, "ls-remote", "--quiet", "--", dir)
}

func gitAt(ctx context.Context, dir string, env []string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, inTime, fmt.Errorf("git %s: no answer within %s", args[0], inTime))
	defer cancel()
	release, err := localTurn(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	cmd := program.Command(ctx, "git", append([]string{"--git-dir=" + dir}, args...)...)
	cmd.Env = append(slices.DeleteFunc(cmd.Env, vcs.IsLocalVariable), env...)
	out, err := program.Output(ctx, cmd, nil)
	return []byte(out), err
}
