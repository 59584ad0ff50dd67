package backport

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strconv"

	"vext/internal/commit"
	"vext/internal/vcs"
)

// An index is the graph of a repository with what its messages say about other commits.
// A commit has its place in the order of the scan: behind its parents. What a forced update
// removes stays in the index, and is reachable from no branch.
type index struct {
	commits  []indexed
	places   map[string]int32 // by hash
	sorted   []int32          // places by hash, for abbreviations; nil until needed
	byNumber map[string]int32 // by r and a number of Subversion, from git-svn-id
}

// An indexed is a commit of an index.
type indexed struct {
	hash    string
	parents []int32 // places; parents that are not in the repository are missing
	time    int64   // when it was committed, Unix time
	same    uint64  // a digest of author, author's date and subject
	refs    []reference
	number  string // r and a number of Subversion, or ""
	asks    bool
	isMerge bool
}

func newIndex() *index {
	return &index{places: map[string]int32{}, byNumber: map[string]int32{}}
}

func (x *index) add(c indexed) {
	at := int32(len(x.commits))
	x.commits, x.sorted = append(x.commits, c), nil
	x.places[c.hash] = at
	if c.number != "" {
		if _, twice := x.byNumber[c.number]; !twice {
			x.byNumber[c.number] = at
		}
	}
}

// tips returns the commits that are no parents: all that a scan has reached.
func (x *index) tips() []string {
	isParent := make([]bool, len(x.commits))
	for i := range x.commits {
		for _, parent := range x.commits[i].parents {
			isParent[parent] = true
		}
	}
	var tips []string
	for i := range x.commits {
		if !isParent[i] {
			tips = append(tips, x.commits[i].hash)
		}
	}
	return tips
}

// scan adds the commits that are reachable from heads and not in the index. It returns how
// many there were.
func (x *index) scan(ctx context.Context, history vcs.History, heads []string, r *reader, asks func([]byte) bool) (int, error) {
	heads = slices.DeleteFunc(heads, func(hash string) bool { _, has := x.places[hash]; return has })
	if len(heads) == 0 {
		return 0, nil
	}
	before := len(x.commits)
	err := history.Scan(ctx, heads, x.tips(), func(record vcs.Record) error {
		c := indexed{hash: string(record.Hash()), time: record.Date().Unix(), same: sameness(record)}
		if _, twice := x.places[c.hash]; twice {
			return nil
		}
		parents := 0
		for parent := range record.Parents() {
			parents++
			if at, ok := x.places[string(parent)]; ok {
				c.parents = append(c.parents, at)
			}
		}
		message := record.Message()
		c.isMerge = parents > 1
		c.refs, c.number, c.asks = r.references(message), svnNumber(message), asks != nil && asks(message)
		x.add(c)
		return nil
	})
	return len(x.commits) - before, err
}

// The digest is FNV-1a: the same in every process, because the cache has it.
const fnvOffset, fnvPrime = 14695981039346656037, 1099511628211

// sameness returns a digest of what a pick preserves of a commit: its author, the author's
// date, and the subject.
func sameness(r vcs.Record) uint64 {
	subject, _, _ := bytes.Cut(r.Message(), []byte("\n"))
	h := uint64(fnvOffset)
	for _, part := range [][]byte{r.Author(), {0}, r.AuthorDate(), {0}, bytes.TrimSpace(subject)} {
		for _, c := range part {
			h = (h ^ uint64(c)) * fnvPrime
		}
	}
	return h
}

// svnNumber returns the revision of Subversion that a commit was converted from, r and a
// number, from the line of git-svn(1): "git-svn-id: URL@NUMBER UUID".
func svnNumber(message []byte) string {
	_, after, found := bytes.Cut(message, []byte("git-svn-id: "))
	if !found {
		return ""
	}
	line, _, _ := bytes.Cut(after, []byte("\n"))
	url, _, _ := bytes.Cut(line, []byte(" "))
	n, err := strconv.ParseUint(string(url[bytes.LastIndexByte(url, '@')+1:]), 10, 32)
	if err != nil {
		return ""
	}
	return "r" + strconv.FormatUint(n, 10)
}

// find returns the place of a revision: a hash or an abbreviation that is unique, or r and
// a number.
func (x *index) find(revision string) (int32, bool) {
	if at, ok := x.places[revision]; ok {
		return at, true
	}
	if at, ok := x.byNumber[revision]; ok {
		return at, true
	}
	if len(revision) < minAbbreviated || commit.IsHash(revision) {
		return 0, false
	}
	if x.sorted == nil {
		x.sorted = make([]int32, len(x.commits))
		for i := range x.sorted {
			x.sorted[i] = int32(i)
		}
		slices.SortFunc(x.sorted, func(a, b int32) int { return cmp.Compare(x.commits[a].hash, x.commits[b].hash) })
	}
	i, _ := slices.BinarySearchFunc(x.sorted, revision, func(at int32, s string) int { return cmp.Compare(x.commits[at].hash, s) })
	has := func(i int) bool {
		return i < len(x.sorted) && len(x.commits[x.sorted[i]].hash) > len(revision) && x.commits[x.sorted[i]].hash[:len(revision)] == revision
	}
	if !has(i) || has(i+1) {
		return 0, false
	}
	return x.sorted[i], true
}

// A set has the places of some commits.
type set []uint64

func (s set) has(at int32) bool { return s[at/64]&(1<<(at%64)) != 0 }
func (s set) put(at int32)      { s[at/64] |= 1 << (at % 64) }

// reachable returns the commits that are reachable from a tip.
func (x *index) reachable(tips ...string) set {
	s := make(set, len(x.commits)/64+1)
	first := int32(-1)
	for _, tip := range tips {
		if at, ok := x.places[tip]; ok {
			s.put(at)
			first = max(first, at)
		}
	}
	for at := first; at >= 0; at-- { // parents are before their children
		if s.has(at) {
			for _, parent := range x.commits[at].parents {
				s.put(parent)
			}
		}
	}
	return s
}

// broughtBy returns the commits that a merge has brought to the branch of its first parent.
func (x *index) broughtBy(merge int32) []int32 {
	c := &x.commits[merge]
	if !c.isMerge || len(c.parents) < 2 { // of a parent that is missing, it is not known which
		return nil
	}
	before, after := x.reachable(x.commits[c.parents[0]].hash), x.reachable(c.hash)
	var all []int32
	for at := range merge {
		if after.has(at) && !before.has(at) {
			all = append(all, at)
		}
	}
	return all
}
