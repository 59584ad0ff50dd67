package repotest

import (
	"crypto/sha1"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"vext/source/autosync/repo"
)

// A Remote is what several Fakes push to, in memory.
type Remote struct {
	name string

	mu      sync.Mutex
	commits map[string]*commit // of all Fakes, also those that nobody has pushed
	head    string
}

// A commit is one of a Fake.
type commit struct {
	hash            string
	parents         []string
	tree            map[string]entry
	message, author string
}

// An entry is a file, or a symbolic link with its target as content.
type entry struct {
	content string
	mode    fs.FileMode // fs.ModeSymlink, 0o755 or 0o644
}

// NewRemote returns an empty remote.
func NewRemote(name string) *Remote { return &Remote{name: name, commits: map[string]*commit{}} }

// Head returns the commit of the remote branch, "" before the first push.
func (r *Remote) Head() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.head
}

// Force sets the commit of the remote branch, as a forced push does; "" deletes it.
func (r *Remote) Force(hash string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.head = hash
}

// add stores a commit and returns its hash.
func (r *Remote) add(c *commit) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.hash = fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "%d %q %q %q", len(r.commits), c.parents, c.message, c.author)))
	r.commits[c.hash] = c
	return c.hash
}

// push sets the head if it is one that now follows, and reports whether it was.
func (r *Remote) push(now, next string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.head != now {
		return false
	}
	r.head = next
	return true
}

// get returns a commit, an empty one for "".
func (r *Remote) get(hash string) *commit {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.commits[hash]; c != nil {
		return c
	}
	return &commit{}
}

// tree returns the files of a commit.
func (r *Remote) tree(hash string) map[string]entry {
	if t := r.get(hash).tree; t != nil {
		return t
	}
	return map[string]entry{}
}

// log returns a commit and all before it, the last first.
func (r *Remote) log(hash string) []*commit {
	var found []*commit
	seen := map[string]bool{"": true}
	for next := []string{hash}; len(next) > 0; next = next[1:] {
		if seen[next[0]] {
			continue
		}
		seen[next[0]] = true
		c := r.get(next[0])
		found, next = append(found, c), append(next, c.parents...)
	}
	return found
}

// missing returns the commits of one history that another does not have, the last first.
func (r *Remote) missing(of, in string) []*commit {
	return slices.DeleteFunc(r.log(of), func(c *commit) bool { return r.isIn(c.hash, in) })
}

// isIn reports whether a commit is in the history of another.
func (r *Remote) isIn(hash, in string) bool {
	return hash == "" || slices.ContainsFunc(r.log(in), func(c *commit) bool { return c.hash == hash })
}

// base returns the last commit that two histories have in common.
func (r *Remote) base(a, b string) string {
	for _, c := range r.log(a) {
		if r.isIn(c.hash, b) {
			return c.hash
		}
	}
	return ""
}

// diff returns what a commit changes; a file that went with another of the same content is
// renamed.
func diff(old, now map[string]entry) []repo.Stat {
	stats := map[string]repo.Stat{}
	gone := map[entry]string{}
	for p, e := range old {
		if _, is := now[p]; !is {
			gone[e] = p
			stats[p] = repo.Stat{Path: p, Kind: repo.Deleted, Deleted: lines(e)}
		}
	}
	for _, p := range slices.Sorted(maps.Keys(now)) {
		e := now[p]
		before, isOld := old[p]
		from := gone[e]
		switch {
		case isOld && before == e:
		case isOld:
			stats[p] = repo.Stat{Path: p, Kind: repo.Modified, Added: onlyIn(e, before), Deleted: onlyIn(before, e), Binary: isBinary(e)}
		case from != "":
			delete(gone, e)
			delete(stats, from)
			stats[p] = repo.Stat{Path: p, From: from, Kind: repo.Modified}
		default:
			stats[p] = repo.Stat{Path: p, Kind: repo.Added, Added: lines(e), Binary: isBinary(e)}
		}
	}
	var sorted []repo.Stat
	for _, p := range slices.Sorted(maps.Keys(stats)) {
		sorted = append(sorted, stats[p])
	}
	return sorted
}

// isBinary reports whether a file is not text.
func isBinary(e entry) bool { return strings.Contains(e.content, "\x00") }

// lines returns the number of lines of a file.
func lines(e entry) int {
	if isBinary(e) {
		return 0
	}
	return len(slices.Collect(strings.Lines(e.content)))
}

// onlyIn returns how many lines of a file another does not have.
func onlyIn(a, b entry) (n int) {
	has := map[string]int{}
	for line := range strings.Lines(b.content) {
		has[line]++
	}
	for line := range strings.Lines(a.content) {
		if has[line]--; has[line] < 0 && !isBinary(a) {
			n++
		}
	}
	return n
}
