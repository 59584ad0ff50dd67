package repo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vext/internal/hint"
	"vext/internal/program"
	"vext/internal/vcs"
)

// A gitRepo is a work tree of git, also a linked one or that of a submodule. Git runs with
// the configuration of its user, so that hooks, filters and signing count. It must be git 2.38
// or later.
//
// Ignored files, the bits skip-worktree and assume-unchanged, sparse checkouts, ends of lines
// and the case of names are handled by git. A new file outside of a sparse checkout is
// committed as any. An index that was split is whole after a commit.
type gitRepo struct {
	opts      Options
	root      string // of the work tree, absolute
	gitDir    string // absolute
	commonDir string // absolute; equal to gitDir but in a linked work tree
	dir       string // gitDir/vext: what autosync keeps
	place     place  // of the root and the git directory when they were opened
	identity  string // "" while it is not known
	merged    stamp  // an index that has no unmerged entries
	clean     cleanIndex
	cache     settingsCache
	counted   counted
	stopped   error // of the last Pull: Push does not overrule it

	integrations int // since it was opened
}

// Bounds of the time that a git command may take.
const (
	gitLimit    = 10 * time.Minute // on this machine: a tree may be large, and the disk slow
	commitLimit = time.Minute      // with hooks, and with a signature, for which pinentry may ask
	cloneLimit  = 12 * time.Hour   // from another machine
	askLimit    = 2 * time.Minute  // which branches another machine has
)

// openGit opens the work tree whose root is o.Path.
func openGit(ctx context.Context, o Options) (*gitRepo, error) {
	if _, err := os.Stat(o.Path); err != nil {
		return nil, err
	}
	g := &gitRepo{opts: o, root: o.Path}
	if err := g.find(ctx); err != nil {
		return nil, err
	}
	g.dir = filepath.Join(g.gitDir, "vext")
	err := os.MkdirAll(g.dir, 0o700)
	if err == nil {
		g.place, err = newPlace(g.root, g.gitDir)
	}
	return g, err
}

// find sets the paths of the repository.
func (g *gitRepo) find(ctx context.Context) error {
	isBare, err := g.git(ctx, "rev-parse", "--is-bare-repository")
	var failure *program.Error
	switch {
	case errors.As(err, &failure) && failure.Says("not a git repository"):
		return hint.Wrap(fmt.Errorf("%s: not a git repository", g.root), "vext autosync init "+g.root)
	case errors.As(err, &failure) && failure.Says("dubious ownership"):
		return hint.Wrap(err, "run vext as the user that owns "+g.root)
	case err != nil:
		return fmt.Errorf("%s: %w", g.root, err)
	case isBare == "true\n":
		return fmt.Errorf("%s: a bare repository, which has no work tree", g.root)
	}
	top, err := g.revParse(ctx, "--show-toplevel")
	if err != nil {
		return fmt.Errorf("%s: not in a work tree: %w", g.root, err)
	}
	if !sameFile(top, g.root) {
		return hint.Wrap(fmt.Errorf("%s: not the root of its work tree, which is %s", g.root, top), "autosync is for whole work trees: name "+top)
	}
	if g.gitDir, err = g.revParse(ctx, "--git-dir"); err == nil {
		g.commonDir, err = g.revParse(ctx, "--git-common-dir")
	}
	return err
}

// revParse asks git for one path of the repository. A path may have newlines.
func (g *gitRepo) revParse(ctx context.Context, what string) (string, error) {
	out, err := g.git(ctx, "rev-parse", "--path-format=absolute", what)
	return strings.TrimSuffix(out, "\n"), err
}

func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// A gitRun is one git command in the work tree.
type gitRun struct {
	args   []string
	config []string      // "key=value", beside the usual
	env    []string      // beside the usual
	stdin  io.Reader     // nil for none
	stderr io.Writer     // also gets what git prints beside its output; nil for none
	within time.Duration // 0 for gitLimit
	isUser bool          // it runs a hook, in the environment that the user has
	files  []*os.File    // that it inherits, from descriptor 3 on
}

// git runs a git command and returns its output.
func (g *gitRepo) git(ctx context.Context, args ...string) (string, error) {
	return g.run(ctx, gitRun{args: args})
}

// run runs a git command and returns its output. An error is that of ctx, or a
// *program.Error.
func (g *gitRepo) run(ctx context.Context, r gitRun) (string, error) {
	within := r.within
	if within == 0 {
		within = gitLimit
	}
	ctx, cancel := context.WithTimeoutCause(ctx, within, &slowError{r.args[0], within})
	defer cancel()
	cmd := g.command(ctx, r)
	stderr := g.opts.Chatter
	switch {
	case stderr == nil:
		stderr = r.stderr
	case r.stderr != nil:
		stderr = io.MultiWriter(r.stderr, stderr)
	}
	out, err := program.Output(ctx, cmd, stderr)
	if err != nil {
		if stopped := g.place.check(); stopped != nil { // os/exec names git instead
			return "", stopped
		}
		g.removeDeadLock(err)
	}
	return out, err
}

// command prepares a git command. A hook gets no settings of ours: they would count for the git
// commands that it runs. It gets the locale of the user.
func (g *gitRepo) command(ctx context.Context, r gitRun) *exec.Cmd {
	settings := gitSettings
	if r.isUser {
		settings = nil
	}
	args := slices.Clone(settings)
	for _, c := range r.config {
		args = append(args, "-c", c)
	}
	// The child of a fork must not be the one that changes the directory: while a file system does
	// not answer, the whole process would wait for it.
	args = append([]string{"-C", g.root}, args...)
	cmd := program.Command(ctx, "git", append(args, r.args...)...)
	cmd.Env = append(slices.DeleteFunc(cmd.Env, misleads), "GIT_EDITOR=:", "GIT_SEQUENCE_EDITOR=:", "GIT_MERGE_AUTOEDIT=no")
	if r.isUser {
		cmd.Env = append(cmd.Env, "GIT_OPTIONAL_LOCKS=1")
		for _, name := range []string{"LC_ALL", "LANGUAGE"} {
			cmd.Env = append(cmd.Env, name+"="+os.Getenv(name))
		}
	} else {
		cmd.Env = append(cmd.Env, "GIT_LITERAL_PATHSPECS=1")
	}
	cmd.Env = append(cmd.Env, r.env...)
	cmd.Stdin = r.stdin
	cmd.ExtraFiles = r.files
	return cmd
}

// gitSettings are for every git command: a collection of garbage would take long in the middle
// of things, and names are printed as they are.
var gitSettings = []string{"-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "core.quotePath=false"}

// misleads reports whether a variable of the environment directs git to another repository,
// changes what a path means, or names a terminal for the password of a key: a prompt there
// would wait for ever. GIT_CONFIG_COUNT is configuration of the user.
func misleads(entry string) bool {
	name, _, _ := strings.Cut(entry, "=")
	return strings.HasSuffix(name, "_PATHSPECS") && strings.HasPrefix(name, "GIT_") ||
		name == "GPG_TTY" || vcs.IsLocalVariable(entry) && name != "GIT_CONFIG_COUNT"
}

// A slowError says that a git command was ended because it took too long.
type slowError struct {
	command string
	limit   time.Duration
}

func (e *slowError) Error() string {
	return fmt.Sprintf("git %s did not end within %s", e.command, e.limit)
}

// Kind implements Repository.
func (g *gitRepo) Kind() string { return "git" }

// Root implements Repository.
func (g *gitRepo) Root() string { return g.root }

// Dir implements Repository.
func (g *gitRepo) Dir() string { return g.dir }
