package repo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"vext/internal/backoff"
	"vext/internal/disk"
)

// index returns the path of the index of the person.
func (g *gitRepo) index() string { return filepath.Join(g.gitDir, "index") }

// A stamp is what distinguishes one state of a file from another. The zero value is no file.
type stamp struct {
	size  int64
	mtime time.Time
	inode uint64
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return newStamp(info)
}

func newStamp(info fs.FileInfo) stamp {
	s := stamp{size: info.Size(), mtime: info.ModTime()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode = uint64(sys.Ino)
	}
	return s
}

// copyIndex copies the index of the person, and returns what it was. The copy has the same
// time: git compares it with the times of files that have changed just before the index was
// written. A git command that was killed may have left a lock of the copy.
func (g *gitRepo) copyIndex(to string) (stamp, error) {
	if err := errors.Join(disk.Remove(to+".lock"), disk.Remove(to)); err != nil {
		return stamp{}, err
	}
	from, err := os.Open(g.index())
	if errors.Is(err, fs.ErrNotExist) {
		return stamp{}, nil
	}
	if err != nil {
		return stamp{}, err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return stamp{}, err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm()|0o200)
	if err != nil {
		return stamp{}, err
	}
	_, err = io.Copy(out, from)
	if err = errors.Join(err, out.Close()); err == nil {
		err = os.Chtimes(to, info.ModTime(), info.ModTime())
	}
	return newStamp(info), err
}

// An indexLock is the lock of the index of the person, as git has it: the file index.lock.
// It is a second name of a file in g.dir, which proves whose lock it is after a crash.
type indexLock struct {
	path  string // index.lock
	proof *os.File
}

// lockWait is how long a lock of the index is waited for. A git status has it for a moment,
// to write down what it has found out.
const (
	lockWait = 2 * time.Second
	lockStep = 20 * time.Millisecond
)

// lockIndex takes the lock, or returns a *BusyError.
func (g *gitRepo) lockIndex(ctx context.Context) (*indexLock, error) {
	busy := new(BusyError)
	for waited := time.Duration(0); ; waited += lockStep {
		l, err := g.tryLockIndex()
		if !errors.As(err, &busy) || waited >= lockWait || backoff.Sleep(ctx, lockStep) != nil {
			return l, err
		}
	}
}

func (g *gitRepo) tryLockIndex() (*indexLock, error) {
	own := filepath.Join(g.dir, "lock")
	proof, err := os.OpenFile(own, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	l := &indexLock{g.index() + ".lock", proof}
	if disk.Lock(context.Background(), proof, 0) != nil {
		proof.Close()
		return nil, &BusyError{"another vext works in " + g.root}
	}
	err = os.Link(own, l.path)
	if err != nil && !errors.Is(err, fs.ErrExist) { // a file system without links
		var f *os.File
		if f, err = os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
			f.Close()
		}
	}
	if errors.Is(err, fs.ErrExist) {
		err = &BusyError{"another process has locked the index"}
	}
	if err != nil {
		l.path = ""
		l.release()
		return nil, err
	}
	return l, nil
}

// release gives the lock back. The proof goes last.
func (l *indexLock) release() {
	if l.path != "" {
		os.Remove(l.path)
	}
	os.Remove(l.proof.Name())
	l.proof.Close()
}

// removeOwnLock removes a lock of the index that a process of vext which was killed has left.
func (g *gitRepo) removeOwnLock() {
	own := filepath.Join(g.dir, "lock")
	proof, err := os.Open(own)
	if err != nil {
		return
	}
	defer proof.Close()
	if disk.IsLocked(proof) {
		return
	}
	if path := g.index() + ".lock"; sameLink(path, proof) {
		g.opts.Log.Warn("removing the lock that a killed vext has left", "path", path)
		os.Remove(path)
	}
	os.Remove(own)
}

// sameLink reports whether a path is another name of an open file.
func sameLink(path string, f *os.File) bool {
	a, errA := os.Lstat(path)
	b, errB := f.Stat()
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// A journal says which commit is being made, so that the index of the person can be brought
// up to date after a crash. Else its old entries would look like changes that somebody has
// staged.
type journal struct{ Old, New string }

func (g *gitRepo) journalPath() string { return filepath.Join(g.dir, "commit.json") }

func (g *gitRepo) writeJournal(j journal) error {
	data, err := json.Marshal(j)
	if err != nil {
		return err
	}
	return disk.ReplaceUnsynced(g.dir, g.journalPath(), data)
}

// repairIndex does what a killed process of vext, or one that found the index locked, could
// not do after its commit.
func (g *gitRepo) repairIndex(ctx context.Context) error {
	data, err := disk.ReadFile(g.journalPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var j journal
	if err == nil {
		err = json.Unmarshal(data, &j)
	}
	if err != nil || j.New == "" {
		g.opts.Log.Warn("the journal of a commit cannot be read; git status may show changes that nobody has staged", "error", err)
		return disk.Remove(g.journalPath())
	}
	head, err := g.Head(ctx)
	if err != nil {
		return err
	}
	if head == "" || head == j.Old { // it was not committed
		return disk.Remove(g.journalPath())
	}
	return g.updateIndex(ctx, j, head)
}

// updateIndex replaces those entries of the index that are as in the old commit by those of
// the new one. Others, and those that head has changed since, are not ours.
func (g *gitRepo) updateIndex(ctx context.Context, j journal, head string) error {
	lock, err := g.lockIndex(ctx)
	if err != nil {
		return err
	}
	defer lock.release()
	next := filepath.Join(g.dir, "index.next")
	if _, err := g.copyIndex(next); err != nil {
		return err
	}
	p := privateIndex{g, next}
	old, err := g.treeOf(ctx, j.Old)
	if err != nil {
		return err
	}
	ours, err := g.entries(ctx, nil, "diff-tree", "-r", old, j.New)
	if err != nil {
		return err
	}
	others, err := p.differing(ctx, old)
	if err != nil {
		return err
	}
	if head != j.New {
		later, err := g.entries(ctx, nil, "diff-tree", "-r", j.New, head)
		if err != nil {
			return err
		}
		others = append(others, later...)
	}
	if err := p.set(ctx, without(ours, others)); err != nil {
		return err
	}
	if err := os.Rename(next, g.index()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return disk.Remove(g.journalPath())
}

// without returns the entries whose paths are not among those of others.
func without(entries, others []rawEntry) []rawEntry {
	paths := make(map[string]bool, len(others))
	for _, o := range others {
		paths[o.path] = true
	}
	return slices.DeleteFunc(slices.Clone(entries), func(e rawEntry) bool { return paths[e.path] })
}

// treeOf returns what stands for a commit when trees are compared: before the first commit,
// the empty tree.
func (g *gitRepo) treeOf(ctx context.Context, commit string) (string, error) {
	if commit != "" {
		return commit, nil
	}
	out, err := g.run(ctx, gitRun{args: []string{"hash-object", "-t", "tree", "--stdin"}, stdin: strings.NewReader("")})
	return strings.TrimSpace(out), err
}

// A privateIndex is a copy of the index, in which a commit is prepared.
type privateIndex struct {
	g    *gitRepo
	path string
}

// run runs git with this index.
func (p privateIndex) run(ctx context.Context, r gitRun) (string, error) {
	r.env = append(r.env, "GIT_INDEX_FILE="+p.path)
	return p.g.run(ctx, r)
}

// differing returns what the index changes of a tree.
func (p privateIndex) differing(ctx context.Context, tree string) ([]rawEntry, error) {
	return p.g.entries(ctx, []string{"GIT_INDEX_FILE=" + p.path}, "diff-index", "--cached", "--ita-invisible-in-index", tree)
}

// set gives the paths of these entries their new mode and content.
func (p privateIndex) set(ctx context.Context, entries []rawEntry) error {
	if len(entries) == 0 {
		return nil
	}
	var lines strings.Builder
	for _, removed := range []bool{true, false} { // first what may be in the way
		for _, e := range entries {
			if (e.newMode == noMode) == removed {
				fmt.Fprintf(&lines, "%s %s\t%s\x00", e.newMode, e.newHash, e.path)
			}
		}
	}
	_, err := p.run(ctx, gitRun{args: []string{"update-index", "-z", "--index-info"}, stdin: strings.NewReader(lines.String())})
	return err
}
