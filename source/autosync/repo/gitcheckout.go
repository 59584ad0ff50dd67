package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"vext/internal/program"
)

// A move is a checkout: of the branch, the index and the work tree from one commit to another.
// It is on disk, as a journal, before anything is changed.
type move struct {
	Branch   string // "refs/heads/main"
	Old, New string // commits; before the first commit Old is the empty tree
	Unborn   bool   // there is no commit yet
	Upstream string // what is integrated, for the reflog
}

// checkout moves the branch, the index and the work tree to the result of an integration. It
// overwrites nothing that has changed since the last commit: then it returns ErrChanged, and
// nothing was moved.
//
// It holds index.lock all the time, so that no other git command works on a half: the new
// index is made beside the index, then the branch is moved, then the index gets its name. The
// git commands inherit the proof of the lock, so that it counts as long as one of them runs,
// also when this process was killed. repairCheckout finishes then what was begun.
func (g *gitRepo) checkout(ctx context.Context, s comparison, in *integration) error {
	m := &move{Branch: s.local, Old: s.head, New: in.tip, Unborn: s.head == "", Upstream: s.String()}
	var err error
	if m.Old, err = g.treeOf(ctx, s.head); err != nil {
		return err
	}
	if err := g.guard(ctx, m); err != nil {
		return err
	}
	if len(in.made) > 0 {
		if err := record(g.dir).add(in.made...); err != nil {
			return err
		}
	}
	if err := g.keepBefore(ctx, s.head); err != nil {
		return err
	}
	lock, err := g.lockIndex(ctx)
	if err != nil {
		return err
	}
	defer lock.release()
	if err := g.moveTo(ctx, m, lock, s.noted()); err != nil {
		return err
	}
	fault("moved")
	if err := g.hook(ctx, s.settings, nil, "post-merge", "0"); err != nil { // as with git merge, it can stop nothing
		g.opts.Log.Warn("a hook has failed after an integration", "path", g.root, "error", err)
	}
	return nil
}

// moveTo is checkout with the lock.
func (g *gitRepo) moveTo(ctx context.Context, m *move, lock *indexLock, also string) error {
	fault("lock")
	if err := g.writeMove(m); err != nil {
		return err
	}
	fault("journal")
	if err := g.readTree(ctx, m, lock); err != nil {
		if refusal := g.whyRefused(ctx, m, err); refusal != nil { // it has touched nothing
			return errors.Join(refusal, g.endMove())
		}
		return g.undo(ctx, m, err)
	}
	fault("tree")
	if err := g.moveBranch(ctx, m, lock, also); err != nil {
		return g.undo(ctx, m, err)
	}
	fault("branch")
	return g.finishMove()
}

// fault is where tests kill the process.
var fault = func(point string) {}

// readTree makes the new index and the new work tree.
func (g *gitRepo) readTree(ctx context.Context, m *move, lock *indexLock) error {
	if _, err := g.copyIndex(g.newIndex()); err != nil {
		return err
	}
	run := gitRun{args: []string{"read-tree", "-m", "-u", m.Old, m.New}, env: []string{"GIT_INDEX_FILE=" + g.newIndex()}, files: []*os.File{lock.proof}}
	_, err := g.run(ctx, run)
	var failure *program.Error
	if errors.As(err, &failure) && failure.Says("not uptodate") { // maybe only a time has changed
		refresh := run
		refresh.args = []string{"update-index", "-q", "--refresh"}
		g.run(ctx, refresh)
		_, err = g.run(ctx, run)
	}
	return err
}

func (g *gitRepo) newIndex() string { return filepath.Join(g.dir, "index.integrated") }

// removeIndex removes an index of ours, and the lock that a git command may have left.
func removeIndex(path string) {
	os.Remove(path)
	os.Remove(path + ".lock")
}

// moveBranch moves the branch from the old commit to the new one, and nothing when it is
// elsewhere.
func (g *gitRepo) moveBranch(ctx context.Context, m *move, lock *indexLock, also string) error {
	old := m.Old
	if m.Unborn {
		old = strings.Repeat("0", len(m.New))
	}
	commands := fmt.Sprintf("update %s %s %s\n%s", m.Branch, m.New, old, also)
	_, err := g.run(ctx, gitRun{args: []string{"update-ref", "--stdin", "-m", "vext autosync: integrate " + m.Upstream},
		stdin: strings.NewReader(commands), files: []*os.File{lock.proof}})
	var failure *program.Error
	if errors.As(err, &failure) && failure.Says("cannot lock ref") {
		return &BusyError{"the branch is locked or was moved meanwhile: " + program.Messages(failure.Stderr)}
	}
	return err
}

// whyRefused returns the error of a checkout that git has refused before it began, nil for one
// that failed in the middle.
func (g *gitRepo) whyRefused(ctx context.Context, m *move, err error) error {
	var failure *program.Error
	if !errors.As(err, &failure) || !failure.Says("would be overwritten", "not uptodate", "would lose untracked") {
		return nil
	}
	if staged := g.stagedAmong(ctx, m); staged != "" {
		return &BusyError{staged + " is staged, and the remote has changed it, too: commit or unstage it"}
	}
	return fmt.Errorf("%w: %s", ErrChanged, program.Messages(failure.Stderr))
}

// stagedAmong returns a file that a person has staged and that the integration changes.
func (g *gitRepo) stagedAmong(ctx context.Context, m *move) string {
	out, err := g.git(ctx, "diff-index", "--cached", "-z", "--name-only", "--no-renames", m.Old, "--")
	if err != nil || out == "" {
		return ""
	}
	changes, err := g.difference(ctx, m.Old, m.New)
	if err != nil {
		return ""
	}
	for path := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		if _, ok := changes[path]; ok {
			return path
		}
	}
	return ""
}

// A treeChange is what a path is in two trees.
type treeChange struct{ from, to entry }

// difference returns what differs between two trees.
func (g *gitRepo) difference(ctx context.Context, from, to string) (map[string]treeChange, error) {
	raw, err := g.entries(ctx, nil, "diff-tree", "-r", from, to)
	changes := map[string]treeChange{}
	for _, e := range raw {
		var c treeChange
		if e.oldMode != noMode {
			c.from = entry{e.oldMode, e.oldHash}
		}
		if e.newMode != noMode {
			c.to = entry{e.newMode, e.newHash}
		}
		changes[e.path] = c
	}
	return changes, err
}
