package repo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"vext/internal/disk"
	"vext/internal/program"
)

// checkLocks returns a *BusyError when another process has locked the index or the branch.
func (g *gitRepo) checkLocks(branch string) error {
	for _, path := range append([]string{g.index() + ".lock"}, g.branchLocks(branch)...) {
		if info, err := os.Lstat(path); err == nil {
			return &BusyError{g.describeLock(path, info.ModTime())}
		}
	}
	return nil
}

// branchLocks returns the locks that git takes to move the branch that is checked out.
func (g *gitRepo) branchLocks(branch string) []string {
	return []string{
		filepath.Join(g.gitDir, "HEAD.lock"),
		filepath.Join(g.commonDir, "refs", "heads", filepath.FromSlash(branch)+".lock"),
	}
}

// isBranchLocked reports whether one of these is there.
func (g *gitRepo) isBranchLocked(branch string) bool {
	return slices.ContainsFunc(g.branchLocks(branch), func(path string) bool {
		_, err := os.Lstat(path)
		return err == nil
	})
}

// oldLock is the age from which a lock is suspected to have been left by a crash. No command
// but a commit with an editor, or with slow hooks, holds one for as long.
const oldLock = time.Minute

// describeLock says what is known about a lock of another process. Unless a journal shows that it
// is ours, one of these is never removed: that nobody uses it cannot be proved.
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

// removeLeftLocks removes the locks of HEAD and of the branch that git has left when it was
// killed while it moved the branch for vext. The journal of that commit or integration is still
// there. A lock is ours when the new commit is in it, or when it was made after the journal and
// is old; in both cases no git may run here.
func (g *gitRepo) removeLeftLocks(branch string) {
	commit, begun := g.begunCommit()
	if commit == "" || g.opts.Now == nil {
		return
	}
	var left []string
	for _, path := range g.branchLocks(branch) {
		info, err := os.Lstat(path)
		if err != nil {
			continue
		}
		data, err := os.ReadFile(path)
		isNamed := err == nil && strings.TrimSpace(string(data)) == commit
		isOld := !info.ModTime().Before(begun) && g.opts.Now().Sub(info.ModTime()).Abs() >= deadLock
		if isNamed || isOld {
			left = append(left, path)
		}
	}
	if len(left) == 0 {
		return
	}
	if runs, known := g.gitRuns(); runs || !known {
		return
	}
	for _, path := range left {
		g.opts.Log.Warn("removing a lock that a killed git has left", "lock", path)
		os.Remove(path)
	}
}

// begunCommit returns the commit to which vext has begun to move the branch, and when; "" for
// none.
func (g *gitRepo) begunCommit() (hash string, begun time.Time) {
	for _, path := range []string{g.journalPath(), g.movePath()} {
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		var j journal // the other journal has the same names
		if data, err := disk.ReadFile(path); err == nil && json.Unmarshal(data, &j) == nil && j.New != "" && info.ModTime().After(begun) {
			hash, begun = j.New, info.ModTime()
		}
	}
	return hash, begun
}
