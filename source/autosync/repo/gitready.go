package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"vext/internal/program"
)

// operations are what a person, or another program, is in the middle of while a file of that
// name is in the git directory.
var operations = []struct{ name, what string }{
	{"MERGE_HEAD", "a merge is in progress"},
	{"rebase-merge", "a rebase is in progress"},
	{"rebase-apply", "a rebase, or git am, is in progress"},
	{"CHERRY_PICK_HEAD", "a cherry-pick is in progress"},
	{"REVERT_HEAD", "a revert is in progress"},
	{"sequencer", "a cherry-pick or revert of several commits is in progress"},
	{"BISECT_LOG", "a bisect is in progress"},
}

// Ready implements Repository. A branch without a commit is ready.
func (g *gitRepo) Ready(ctx context.Context) error {
	if err := g.place.check(); err != nil {
		return err
	}
	for _, o := range operations {
		if _, err := os.Lstat(filepath.Join(g.gitDir, o.name)); err == nil {
			return &BusyError{o.what}
		}
	}
	branch, err := g.branch(ctx)
	if err != nil {
		return err
	}
	if branch == "" {
		return &BusyError{"HEAD is detached: no branch is checked out"}
	}
	g.removeOwnLock()
	g.unlockBranch()
	if err := g.checkLocks(branch); err != nil {
		return err
	}
	if err := g.repairCheckout(ctx); err != nil {
		return err
	}
	if err := g.checkMerged(ctx); err != nil {
		return err
	}
	return g.repairIndex(ctx)
}

// checkMerged returns a *BusyError when the index has unmerged entries, which a stash or a
// checkout leaves, too. It remembers an index that has none.
func (g *gitRepo) checkMerged(ctx context.Context) error {
	now := stampOf(g.index())
	if now == g.merged {
		return nil
	}
	out, err := g.git(ctx, "ls-files", "--unmerged", "-z")
	if err != nil {
		return err
	}
	if entry, _, _ := strings.Cut(out, "\x00"); entry != "" {
		_, path, _ := strings.Cut(entry, "\t")
		return &BusyError{fmt.Sprintf("%q has a conflict that is not resolved", path)}
	}
	g.merged = now
	return nil
}

// checkLocks returns a *BusyError when another process has locked the index or the branch.
func (g *gitRepo) checkLocks(branch string) error {
	for _, path := range []string{
		g.index() + ".lock",
		filepath.Join(g.gitDir, "HEAD.lock"),
		filepath.Join(g.commonDir, "refs", "heads", filepath.FromSlash(branch)+".lock"),
	} {
		if info, err := os.Lstat(path); err == nil {
			return &BusyError{g.describeLock(path, info.ModTime())}
		}
	}
	return nil
}

// oldLock is the age from which a lock is suspected to have been left by a crash. No command
// but a commit with an editor, or with slow hooks, holds one for as long.
const oldLock = time.Minute

// describeLock says what is known about a lock of another process. One of these is never removed:
// that nobody uses it cannot be proved.
func (g *gitRepo) describeLock(path string, since time.Time) string {
	name, _ := filepath.Rel(g.commonDir, path)
	reason := fmt.Sprintf("another process has held the lock %s since %s", name, since.Format("2006-01-02 15:04:05"))
	if g.opts.Now == nil || g.opts.Now().Sub(since) < oldLock {
		return reason
	}
	if runs, known := g.gitRuns(); known && !runs {
		reason = fmt.Sprintf("the lock %s is there since %s, but no git runs here; if nothing else uses it: rm %s",
			name, since.Format("2006-01-02 15:04:05"), path)
	}
	return reason
}

// gitRuns reports whether a git process works in the work tree or in its git directory, where
// /proc has it.
func (g *gitRepo) gitRuns() (runs, known bool) {
	found, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, comm := range found {
		name, err := os.ReadFile(comm)
		if err != nil || !strings.HasPrefix(string(name), "git") {
			continue
		}
		dir, err := os.Readlink(filepath.Join(filepath.Dir(comm), "cwd"))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has ended
		}
		if err != nil || isBelow(dir, g.root) || isBelow(dir, g.commonDir) || isBelow(dir, g.gitDir) {
			return true, true // of another user, or here
		}
	}
	return false, len(found) > 0
}

// isBelow reports whether an absolute path is a directory or in it.
func isBelow(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// deadLock is the age from which a lock that git holds only for a moment is removed when no
// git runs here: a killed git has left it.
const deadLock = 15 * time.Second

// inTheWayOf is what git says when there is such a lock, or the file that it writes while it has
// the one of packed-refs.
var inTheWayOf = regexp.MustCompile(`[Uu]nable to create (?:file )?'?(/[^\n]*?\.(?:lock|new))'?: File exists`)

// removeDeadLock removes the lock on which a git command has failed, if a killed git has left it.
// The caller repeats the command later. The locks of the index, of HEAD and of branches stay:
// a commit holds them for as long as its editor or its hooks take.
func (g *gitRepo) removeDeadLock(err error) {
	var failure *program.Error
	if g.opts.Now == nil || !errors.As(err, &failure) {
		return
	}
	found := inTheWayOf.FindStringSubmatch(failure.Stderr)
	if found == nil || !g.isMomentary(found[1]) {
		return
	}
	info, err := os.Lstat(found[1])
	if err != nil || g.opts.Now().Sub(info.ModTime()).Abs() < deadLock {
		return
	}
	if runs, known := g.gitRuns(); known && !runs {
		g.opts.Log.Warn("removing a lock that a killed git has left", "lock", found[1])
		os.Remove(found[1])
	}
}

// isMomentary reports whether a lock is that of packed-refs, of a remote-tracking branch, or of
// a ref of autosync.
func (g *gitRepo) isMomentary(lock string) bool {
	dir, err := filepath.EvalSymlinks(filepath.Dir(lock))
	if err != nil {
		return false
	}
	if name := filepath.Base(lock); dir == g.commonDir {
		return name == "packed-refs.lock" || name == "packed-refs.new"
	}
	refs := filepath.Join(g.commonDir, "refs")
	return isBelow(dir, filepath.Join(refs, "remotes")) || isBelow(dir, filepath.Join(refs, "vext"))
}
