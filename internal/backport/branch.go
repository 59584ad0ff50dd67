package backport

import "slices"

// A branch is what has been merged to a branch, and what was reverted there, by the lines
// of its messages.
type branch struct {
	x     *index
	tip   string
	has   set             // what is reachable from its tip
	side  set             // of these, what is on no development branch
	picks map[int32]int32 // by the commit that was merged: the commit that merged it
	gone  map[int32]int32 // by a commit that was reverted here: by which
	undid map[int32][]undone
}

// An undone is what a revert has taken away: a pick, or, if pick is negative, the commit.
type undone struct{ commit, pick int32 }

// newBranch reads a branch; development is nil for a development branch itself.
func (x *index) newBranch(tips []string, development set) *branch {
	b := &branch{x: x, has: x.reachable(tips...), picks: map[int32]int32{}, gone: map[int32]int32{}, undid: map[int32][]undone{}}
	if len(tips) > 0 {
		b.tip = tips[0]
	}
	b.side = b.has
	if development != nil {
		b.side = make(set, len(b.has))
		for i := range b.side {
			b.side[i] = b.has[i] &^ development[i]
		}
	}
	for at := range int32(len(x.commits)) {
		if len(x.commits[at].refs) > 0 && b.side.has(at) {
			b.take(at)
		}
	}
	return b
}

// take takes the references of the next commit.
func (b *branch) take(at int32) {
	for _, origin := range b.x.origins(at) {
		b.picks[origin] = at
		delete(b.gone, origin)
	}
	for _, ref := range b.x.commits[at].refs {
		if ref.relation != reverts {
			continue
		}
		if other, ok := b.x.find(ref.revision); ok && other != at {
			b.revert(other, at)
		}
	}
}

// revert takes back a commit, in whatever form it is here: itself, a pick of it, or of what
// it is a pick of itself; of a merge, what that had brought. Taking back a revert brings back
// what that had taken. A commit of which no pick is known is taken back, too: the pick may
// have no line that says so.
func (b *branch) revert(other, by int32) {
	for _, revert := range []int32{other, b.pickOf(other)} {
		if was, ok := b.undid[revert]; ok {
			for _, u := range was {
				delete(b.gone, u.commit)
				if u.pick >= 0 {
					b.picks[u.commit] = u.pick
				}
			}
			delete(b.undid, revert)
			b.gone[revert] = by
			return
		}
	}
	for _, commit := range slices.Concat(b.x.origins(other), []int32{other}, b.x.broughtBy(other)) {
		pick := b.pickOf(commit)
		if _, twice := b.gone[commit]; twice {
			continue
		}
		delete(b.picks, commit)
		b.gone[commit] = by
		b.undid[by] = append(b.undid[by], undone{commit, pick})
	}
}

// pickOf returns the commit by which another was merged, or -1.
func (b *branch) pickOf(commit int32) int32 {
	if pick, ok := b.picks[commit]; ok {
		return pick
	}
	return -1
}

// merged returns the commit by which another is on the branch, which may be itself.
func (b *branch) merged(commit int32) (by int32, ok bool) {
	if pick, ok := b.picks[commit]; ok {
		return pick, true
	}
	if _, gone := b.gone[commit]; gone || !b.has.has(commit) {
		return 0, false
	}
	return commit, true
}

// origins returns the commits that a commit is a pick of, by every line: those that it
// names, those that these name, and so on.
func (x *index) origins(at int32) []int32 {
	var all []int32
	seen := map[int32]bool{at: true}
	for stack := []int32{at}; len(stack) > 0; {
		next := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, ref := range x.commits[next].refs {
			if ref.relation != picks {
				continue
			}
			if origin, ok := x.find(ref.revision); ok && !seen[origin] {
				seen[origin] = true
				all, stack = append(all, origin), append(stack, origin)
			}
		}
	}
	return all
}
