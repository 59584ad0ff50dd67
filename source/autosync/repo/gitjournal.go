package repo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"vext/internal/disk"
)

// movePath is where the move is that has been begun.
func (g *gitRepo) movePath() string { return filepath.Join(g.dir, "integrate") }

func (g *gitRepo) writeMove(m *move) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return disk.Replace(g.dir, g.movePath(), data)
}

// finishMove gives the new index its name, if it has not yet got it.
func (g *gitRepo) finishMove() error {
	if err := os.Rename(g.newIndex(), g.index()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fault("index")
	return g.endMove()
}

// endMove removes the journal.
func (g *gitRepo) endMove() error {
	removeIndex(g.newIndex())
	return disk.Remove(g.movePath())
}

// undo puts back what a checkout has changed before it failed, and returns why it failed. The
// index is the old one still.
func (g *gitRepo) undo(ctx context.Context, m *move, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), gitLimit)
	defer cancel()
	if err := g.restore(ctx, m); err != nil {
		return errors.Join(why, fmt.Errorf("the work tree is not yet as it was: %w", err))
	}
	if g.isBranchLocked(strings.TrimPrefix(m.Branch, "refs/heads/")) { // by a git of ours that was killed, perhaps: see removeLeftLocks
		return why
	}
	return errors.Join(why, g.endMove())
}

// begunMove returns the move that was interrupted, nil for none.
func (g *gitRepo) begunMove() (*move, error) {
	data, err := disk.ReadFile(g.movePath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	m := new(move)
	if err == nil {
		err = json.Unmarshal(data, m)
	}
	if err != nil {
		return nil, fmt.Errorf("the journal of an integration: %w", err)
	}
	return m, nil
}

// repairCheckout finishes a checkout that was interrupted, or undoes it.
func (g *gitRepo) repairCheckout(ctx context.Context) error {
	m, err := g.begunMove()
	if err != nil || m == nil {
		return err
	}
	lock, err := g.lockIndex(ctx)
	if err != nil {
		return err
	}
	defer lock.release()
	g.opts.Log.Info("repairing an integration that was interrupted", "path", g.root, "from", short(m.Old), "to", short(m.New))
	return g.resume(ctx, m)
}

// resume goes back to where the checkout began when the branch had not been moved: a file may
// have been edited since, and that edit is to be merged. Otherwise only the index is missing.
func (g *gitRepo) resume(ctx context.Context, m *move) error {
	branch, err := g.branch(ctx)
	if err != nil {
		return err
	}
	refs, err := g.refValues(ctx, m.Branch)
	if err != nil {
		return err
	}
	switch at := refs[m.Branch]; {
	case "refs/heads/"+branch != m.Branch: // a person has gone on from here
		return g.endMove()
	case at == m.New:
		return g.finishMove()
	case at == m.Old, m.Unborn && at == "":
		if err := g.restore(ctx, m); err != nil {
			return err
		}
	}
	return g.endMove()
}

// unlockBranch removes the lock of the branch that a git command of a checkout has left when
// it was killed. Nobody else writes the new commit into it, and no such command runs when
// the index is not locked.
func (g *gitRepo) unlockBranch() {
	m, err := g.begunMove()
	if err != nil || m == nil {
		return
	}
	if _, err := os.Lstat(g.index() + ".lock"); err == nil {
		return
	}
	lock := filepath.Join(g.commonDir, filepath.FromSlash(m.Branch)) + ".lock"
	if data, err := os.ReadFile(lock); err == nil && strings.TrimSpace(string(data)) == m.New {
		os.Remove(lock)
	}
}
