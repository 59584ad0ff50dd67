package backport

import "slices"

// fixers returns the commits of the development branches that fix others, or go with them,
// by the commits that they name.
func (x *index) fixers(development *branch) map[int32][]int32 {
	all := map[int32][]int32{}
	for at := range int32(len(x.commits)) {
		if len(x.commits[at].refs) == 0 || !development.has.has(at) {
			continue
		}
		for _, ref := range x.commits[at].refs {
			if ref.relation != fixes && ref.relation != goes {
				continue
			}
			if fixed, ok := x.find(ref.revision); ok && fixed < at && !slices.Contains(all[fixed], at) {
				all[fixed] = append(all[fixed], at)
			}
		}
	}
	return all
}

// A fixOf is a fix and the commit that it names.
type fixOf struct{ fix, of int32 }

// fixesOf returns the fixes of a commit and, transitively, theirs, in the order of the
// branch. A fix that was reverted is none, and neither is one that a person has called none.
func (g *looker) fixesOf(commit int32, marks []Mark) []fixOf {
	var all []fixOf
	seen := map[int32]bool{commit: true}
	for stack := []int32{commit}; len(stack) > 0; {
		of := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, fix := range g.fixers[of] {
			if _, gone := g.development.gone[fix]; gone || seen[fix] || g.isNoFix(fix, of, commit, marks) {
				continue
			}
			seen[fix] = true
			all, stack = append(all, fixOf{fix, of}), append(stack, fix)
		}
	}
	slices.SortFunc(all, func(a, b fixOf) int { return int(a.fix) - int(b.fix) })
	return all
}

// isNoFix reports whether a person has said that a commit is no fix of another; asked is
// the commit of the question.
func (g *looker) isNoFix(fix, of, asked int32, marks []Mark) bool {
	return slices.ContainsFunc(marks, func(m Mark) bool {
		if m.Kind != MarkNotAFix || !g.isAbout(&m, of, asked) {
			return false
		}
		other, ok := g.index.find(m.Other)
		return ok && other == fix
	})
}

// isAbout reports whether a mark is about a commit; asked is the commit of the question.
func (g *looker) isAbout(m *Mark, commit, asked int32) bool {
	if m.Revision == "" {
		return commit == asked
	}
	at, ok := g.index.find(m.Revision)
	return ok && at == commit
}
