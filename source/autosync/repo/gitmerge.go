package repo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"vext/internal/program"
)

// An integration is what becomes of the commits of both sides. It is made in memory: only
// objects are written.
type integration struct {
	g         *gitRepo
	s         comparison
	tip       string // the commit that the branch gets
	made      []string
	rebased   int
	conflicts []Conflict
	copies    map[string]string // where our version of a file goes: path, copy
	taken     map[string]bool   // names of copies
	// unkept says that something of ours is in no tree, so that only a merge keeps it.
	unkept bool
}

// integrate makes the commit that has both sides. Without commits of ours that is the
// upstream commit. Automatic commits that nobody else has are made again on top of it, one
// by one; each keeps its author, date and message. Where a commit of a person or a merge is
// among ours, or where the configuration says so, both sides are merged.
//
// The policies Ours and Theirs also lead to a merge when they decide a conflict: its parents
// keep the version that is not in place.
func (g *gitRepo) integrate(ctx context.Context, s comparison) (*integration, error) {
	in := &integration{g: g, s: s}
	if len(s.ours) == 0 {
		in.tip = s.upstream
		return in, nil
	}
	mayRebase, err := g.mayRebase(s)
	if err != nil {
		return nil, err
	}
	if mayRebase {
		in.reset()
		if err := in.rebase(ctx); err != nil || !in.unkept {
			return in, err
		}
	}
	in.reset()
	return in, in.merge(ctx)
}

// reset begins anew.
func (in *integration) reset() {
	*in = integration{g: in.g, s: in.s, copies: map[string]string{}, taken: map[string]bool{}}
}

// mayRebase reports whether all our commits are automatic ones on one line.
func (g *gitRepo) mayRebase(s comparison) (bool, error) {
	if g.opts.Merge || len(s.bases) != 1 {
		return false, nil
	}
	ours, err := record(g.dir).all()
	if err != nil {
		return false, err
	}
	last := s.bases[0]
	for _, c := range s.ours {
		if !ours[c.hash] || len(c.parents) != 1 || c.parents[0] != last {
			return false, nil
		}
		last = c.hash
	}
	return true, nil
}

// rebase makes our commits again, on top of the upstream commit.
func (in *integration) rebase(ctx context.Context) error {
	commits, err := in.g.readCommits(ctx, append([]string{in.s.upstream, in.s.bases[0]}, hashes(in.s.ours)...))
	if err != nil {
		return err
	}
	tip := commits[0]
	in.tip = in.s.upstream
	for i, c := range commits[2:] {
		var tree string
		if i == 0 { // the commits as they are have the right base
			tree, err = in.mergeTrees(ctx, commits[1].tree, tip.hash, c.hash)
		} else {
			tree, err = in.pick(ctx, tip, commits[i+1], c)
		}
		if err != nil {
			return err
		}
		if in.unkept {
			return nil
		}
		if tree == tip.tree { // upstream has it already
			continue
		}
		c.tree = tree
		if in.tip, err = in.g.commitAgain(ctx, in.s.settings, c, in.tip); err != nil {
			return err
		}
		in.made = append(in.made, in.tip)
		in.rebased++
		tip = c
	}
	return nil
}

// pick returns the tree of tip with what c changes in its parent.
func (in *integration) pick(ctx context.Context, tip, parent, c commitObject) (string, error) {
	base, ours := parent.tree, c.tree
	if len(in.copies) > 0 { // our versions of these files are in their copies now
		var err error
		if base, err = in.moveToCopies(ctx, base); err == nil {
			ours, err = in.moveToCopies(ctx, ours)
		}
		if err != nil {
			return "", err
		}
	}
	switch {
	case base == tip.tree:
		return ours, nil
	case base == ours, ours == tip.tree:
		return tip.tree, nil
	}
	// git 2.39 has no --merge-base: three commits say which tree is the base.
	baseCommit, err := in.g.syntheticCommit(ctx, base, "")
	if err != nil {
		return "", err
	}
	tipCommit, err := in.g.syntheticCommit(ctx, tip.tree, baseCommit)
	if err != nil {
		return "", err
	}
	oursCommit, err := in.g.syntheticCommit(ctx, ours, baseCommit)
	if err != nil {
		return "", err
	}
	return in.mergeTrees(ctx, base, tipCommit, oursCommit)
}

// merge makes one commit of both sides. Its first parent is ours.
func (in *integration) merge(ctx context.Context) error {
	tree, err := in.mergeTrees(ctx, in.s.bases[0], in.s.upstream, in.s.head)
	if err != nil {
		return err
	}
	message := fmt.Sprintf("Merge branch '%s' of %s\n", in.s.branch, in.s.remote)
	for i, c := range in.conflicts {
		if i == 0 {
			message += "\n"
		}
		message += c.Text + "\n"
	}
	args := append([]string{"commit-tree", tree, "-p", in.s.head, "-p", in.s.upstream}, in.s.settings.signFlag()...)
	out, err := in.g.run(ctx, gitRun{args: args, stdin: strings.NewReader(message), within: commitLimit})
	if err != nil {
		return in.s.settings.signError(err)
	}
	in.tip = strings.TrimSpace(out)
	in.made = []string{in.tip}
	return nil
}

// mergeTrees merges two commits and returns the tree of the result. Conflicts are resolved by
// the policy.
func (in *integration) mergeTrees(ctx context.Context, base, theirs, ours string) (string, error) {
	args := []string{"-c", "merge.directoryRenames=false", "-c", "merge.conflictStyle=merge", "merge-tree", "--write-tree", "-z", theirs, ours}
	out, err := in.g.git(ctx, args...)
	var failure *program.Error
	if errors.As(err, &failure) && failure.Status() == 1 {
		return in.resolve(ctx, parseMerge(out), base, theirs, ours)
	}
	if err != nil {
		return "", err
	}
	tree, _, _ := strings.Cut(out, "\x00")
	return strings.TrimSpace(tree), nil
}

func hashes(commits []logged) []string {
	var list []string
	for _, c := range commits {
		list = append(list, c.hash)
	}
	return list
}

// moveToCopies returns a tree in which the files of which we keep copies have the names of
// these.
func (in *integration) moveToCopies(ctx context.Context, tree string) (string, error) {
	entries, err := in.g.lookUp(ctx, tree, maps.Keys(in.copies))
	if err != nil {
		return "", err
	}
	var edits []edit
	for path, e := range entries {
		edits = append(edits, edit{path: path}, edit{in.copies[path], e})
	}
	return in.g.editTree(ctx, tree, edits)
}
