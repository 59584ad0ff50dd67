package watch

import (
	"path/filepath"
	"strings"
)

// A node is a directory of the tree. Paths are not kept, so that a node is small.
type node struct {
	parent   *node // nil for the root, and for a directory that is gone
	name     string
	children map[string]*node
	sum      uint64 // the signature of its files, where these are polled
	device   uint64
	wd       int32 // the number of its watch, or none
	state    state
	network  bool // watches do not report what other machines change
	signed   bool // sum is valid
	doubt    bool // the last signature was different: the next change may look the same
}

const none = -1

type state uint8

const (
	unseen     state = iota
	entered          // watched, or polled
	ignored          // neither it nor what is in it is watched
	nested           // a repository: only its .git or .hg counts
	unreadable       // it may become readable
)

// A place is where a directory is, or was a moment ago.
type place struct {
	parent   *node // nil for the root
	name     string
	announce bool // report it although it may be known
	again    bool // read it although it is watched
	below    bool // a directory above it is reported
}

// place returns the place of a node.
func (n *node) place(again bool) place { return place{parent: n.parent, name: n.name, again: again} }

// path returns the path relative to the root.
func (n *node) path() string {
	if n.parent == nil {
		return "."
	}
	return n.parent.below(n.name)
}

// below returns the path of a file in the directory.
func (n *node) below(name string) string {
	size := len(name)
	for p := n; p.parent != nil; p = p.parent {
		size += len(p.name) + 1
	}
	path := make([]byte, size)
	at := size - copy(path[size-len(name):], name)
	for p := n; p.parent != nil; p = p.parent {
		at--
		path[at] = '/'
		at -= len(p.name)
		copy(path[at:], p.name)
	}
	return string(path)
}

func (p place) path() string {
	if p.parent == nil {
		return "."
	}
	return p.parent.below(p.name)
}

// isIn reports whether a node is still a part of the tree.
func (w *Watcher) isIn(n *node) bool { return n == w.top || n.parent != nil }

// find returns the node at a place, which it makes when there is none; nil when the
// directory above is gone.
func (w *Watcher) find(p place) *node {
	if p.parent == nil {
		if p.name == "" {
			return w.top
		}
		return nil
	}
	if !w.isIn(p.parent) || p.parent.state == ignored || p.parent.state == nested {
		return nil
	}
	n := p.parent.children[p.name]
	if n == nil {
		n = &node{parent: p.parent, name: strings.Clone(p.name), wd: none}
		if p.parent.children == nil {
			p.parent.children = map[string]*node{}
		}
		p.parent.children[p.name] = n
	}
	return n
}

// drop forgets a directory and all that is in it.
func (w *Watcher) drop(n *node) {
	if n == w.top {
		return
	}
	if n.parent != nil {
		delete(n.parent.children, n.name)
	}
	w.clear(n)
	n.parent = nil
}

// clear ends the watches of a directory and of all that is in it.
func (w *Watcher) clear(n *node) {
	w.unwatch(n)
	w.dropChildren(n)
}

func (w *Watcher) dropChildren(n *node) {
	children := n.children
	n.children = nil
	for _, child := range children {
		w.clear(child)
		child.parent = nil
	}
}

func (w *Watcher) unwatch(n *node) {
	if n.wd == none {
		return
	}
	delete(w.byWD, n.wd)
	if _, isInternal := w.internal[n.wd]; !isInternal && !w.above[n.wd] {
		w.notifier.remove(n.wd)
	}
	n.wd = none
}

// watch has the kernel watch a directory. It returns whether the directory is another one
// than the one that was watched before.
func (w *Watcher) watch(n *node) (isOther bool, err error) {
	wd, err := w.notifier.add(w.abs(n.path()))
	switch {
	case err != nil:
		return false, err
	case wd == n.wd:
		return false, nil
	}
	if other := w.byWD[wd]; other != nil { // it was moved, and that is not yet reported
		other.wd = none
	}
	isOther = n.wd != none
	w.unwatch(n)
	n.wd = wd
	w.byWD[wd] = n
	return isOther, nil
}

// abs returns the absolute path of one in the tree.
func (w *Watcher) abs(path string) string { return filepath.Join(w.root, path) }

// isPolled says that no watch reports everything.
func (n *node) isPolled() bool { return n.wd == none || n.network }

// polled returns the directories, of this one and all in it, that are polled.
func (w *Watcher) polled(n *node, list []*node) []*node {
	if n.state == entered && n.isPolled() {
		list = append(list, n)
	}
	for _, child := range n.children {
		list = w.polled(child, list)
	}
	return list
}

// count returns the number of directories that should have a watch.
func (w *Watcher) count(n *node) int {
	sum := 0
	if n.state == entered || n.state == nested {
		sum++
	}
	for _, child := range n.children {
		sum += w.count(child)
	}
	return sum
}
