package repo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
	g.removeLeftLocks(branch)
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
