package vcs

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"time"

	"vext/internal/commit"
)

// walkMany reads the commits of all ranges by one git log, and then computes which
// commit is new on which branch: it can be new on one and known on another.
func (g *gitRepository) walkMany(ctx context.Context, log Log, fn func(*commit.Commit) error) (int, error) {
	var tips, since []string
	for _, r := range log.Ranges {
		tips, since = append(tips, r.New), append(since, r.Since...)
	}
	since, err := g.Has(ctx, since)
	if err != nil {
		return 0, err
	}
	tips = unique(append(tips, since...))
	var base []string
	if !slices.ContainsFunc(log.Ranges, func(r Range) bool { return !containsAny(since, r.Since) }) {
		base = g.base(ctx, tips) // a range without Since goes back to the root
	}
	gr := graph{index: map[string]int32{}, chosen: map[int32]*commit.Commit{}}
	gr.dated = slices.ContainsFunc(log.Ranges, func(r Range) bool { return !r.After.IsZero() })
	err = g.log(ctx, revisions(tips, base), []string{"--topo-order", "--reverse"}, func(r *record) error {
		gr.add(r, log.wants(r.message()))
		if log.Progress != nil {
			log.Progress(len(gr.firsts))
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	n := 0
	for i := range log.Ranges {
		r := &log.Ranges[i]
		for _, at := range gr.newOn(r, log.FirstParent) {
			if gr.dated && r.isTooOld(gr.dates[at]) {
				continue
			}
			n++
			c := gr.chosen[at]
			if c == nil {
				continue
			}
			one := *c
			one.Refname = r.Refname
			if err := fn(&one); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func unique(revisions []string) []string {
	slices.Sort(revisions)
	return slices.Compact(revisions)
}

// maxMergeBase bounds the arguments of git merge-base.
const maxMergeBase = 10000

// base returns the newest common ancestor of revisions, or nothing, so that the whole
// history is read.
func (g *gitRepository) base(ctx context.Context, revisions []string) []string {
	if len(revisions) > maxMergeBase {
		return nil
	}
	out, err := output(ctx, g.git(ctx, append([]string{"merge-base", "--octopus"}, revisions...)...))
	if err != nil {
		return nil
	}
	return strings.Fields(out)
}

func containsAny(list, items []string) bool {
	return slices.ContainsFunc(items, func(item string) bool { return slices.Contains(list, item) })
}

// Has implements Repository.
func (g *gitRepository) Has(ctx context.Context, positions []string) ([]string, error) {
	positions = unique(slices.Clone(positions))
	if len(positions) == 0 {
		return nil, nil
	}
	cmd := g.git(ctx, "cat-file", "--batch-check=%(objectname) %(objecttype)")
	cmd.Stdin = strings.NewReader(strings.Join(positions, "\n") + "\n")
	out, err := output(ctx, cmd)
	if err != nil {
		return nil, err
	}
	var there []string
	for line := range strings.Lines(out) {
		if hash, isCommit := strings.CutSuffix(strings.TrimSpace(line), " commit"); isCommit && commit.IsHash(hash) {
			there = append(there, hash)
		}
	}
	return there, nil
}

// A graph holds commits in the order in which git log printed them: parents before
// children.
type graph struct {
	index  map[string]int32 // of a hash
	firsts []int32          // the first parent of each, -1 if it is not in the graph
	others [][]int32        // its other parents
	chosen map[int32]*commit.Commit
	dated  bool        // dates are needed
	dates  []time.Time // of each, if dated
	marks  []int32     // the last visit to each commit
	visits int32
}

func (g *graph) add(r *record, chosen bool) {
	at := int32(len(g.firsts))
	first, others := int32(-1), []int32(nil)
	for i, hash := range bytes.Fields(r.field(fieldParents)) {
		parent, ok := g.index[string(hash)]
		switch {
		case !ok:
		case i == 0:
			first = parent
		default:
			others = append(others, parent)
		}
	}
	g.index[string(r.field(fieldHash))] = at
	if g.dated {
		g.dates = append(g.dates, r.date())
	}
	g.firsts, g.others, g.marks = append(g.firsts, first), append(g.others, others), append(g.marks, 0)
	if chosen {
		g.chosen[at] = r.commit("")
	}
}

// newOn returns the commits of a range, oldest first.
func (g *graph) newOn(r *Range, firstParent bool) []int32 {
	g.visits++
	known := g.visits
	for _, revision := range r.Since {
		g.visit(revision, known, known, false, nil)
	}
	g.visits++
	var found []int32
	g.visit(r.New, g.visits, known, firstParent, &found)
	slices.Sort(found)
	return found
}

// visit marks the commits that are reachable from a revision, except those marked as
// known and their ancestors, and collects them.
func (g *graph) visit(revision string, mark, known int32, firstParent bool, found *[]int32) {
	start, ok := g.index[revision]
	if !ok {
		return
	}
	for stack := []int32{start}; len(stack) > 0; {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if at < 0 || g.marks[at] == mark || g.marks[at] == known {
			continue
		}
		g.marks[at] = mark
		if found != nil {
			*found = append(*found, at)
		}
		stack = append(stack, g.firsts[at])
		if !firstParent {
			stack = append(stack, g.others[at]...)
		}
	}
}

// Related implements Repository.
func (g *gitRepository) Related(ctx context.Context, position string, others []string) (bool, error) {
	if len(others) == 0 {
		return false, nil
	}
	others = unique(slices.Clone(others))
	return g.mergeBase(ctx, append([]string{position}, others[:min(len(others), maxMergeBase)]...)...)
}

// Includes implements Repository. Unlike git log, it does not depend on dates.
func (g *gitRepository) Includes(ctx context.Context, position, earlier string) (bool, error) {
	return g.mergeBase(ctx, "--is-ancestor", earlier, position)
}

// mergeBase reports whether git merge-base ends with status 0, and not with 1
// (git-merge-base(1)).
func (g *gitRepository) mergeBase(ctx context.Context, args ...string) (bool, error) {
	_, err := output(ctx, g.git(ctx, append([]string{"merge-base"}, args...)...))
	failure, exit := new(Error), new(exec.ExitError)
	if errors.As(err, &failure) && failure.Stderr == "" && errors.As(err, &exit) && exit.ExitCode() == 1 {
		return false, nil
	}
	return err == nil, err
}
