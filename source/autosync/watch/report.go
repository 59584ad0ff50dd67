package watch

import (
	"path/filepath"
	"slices"
)

// A report is what the kernel says of a watched directory.
type report struct {
	wd    int32  // the number of the watch
	name  string // of a file in the directory; "" for the directory itself
	isDir bool
	kind  kind
}

type kind uint8

const (
	changed    kind = iota // written, or closed after that
	arrived                // made, or moved here
	left                   // removed, or moved away
	attributes             // its mode, owner or time has changed
	selfGone               // the directory itself was moved or removed
	unmounted              // so was the file system of the directory
	ended                  // so is the watch
	overflow               // reports were lost
)

// repositories are the names by which a nested repository is recognised.
var repositories = []string{".git", ".hg"}

func (w *Watcher) skips(name string) bool {
	return slices.Contains(repositories, name) || w.o.Skip != nil && w.o.Skip(name)
}

// handle takes one report. It is called with the lock, and never waits.
func (w *Watcher) handle(r report) {
	n := w.byWD[r.wd]
	switch {
	case r.kind == overflow:
		w.todo.rescan = true
	case r.kind == unmounted && n == w.top:
		w.fail(w.gone("its file system was unmounted"))
	case r.kind == unmounted:
		w.todo.rescan = true
	case r.kind == selfGone && (n == w.top || w.above[r.wd]):
		w.fail(w.checkRoot())
	}
	if dir, ok := w.internal[r.wd]; ok {
		w.handleInternal(dir, r)
	}
	if n != nil {
		w.handleTree(n, r)
	}
	if r.kind == ended {
		delete(w.internal, r.wd)
		delete(w.above, r.wd)
	}
}

// handleInternal takes a report of a directory of the version control.
func (w *Watcher) handleInternal(dir string, r report) {
	if r.kind == ended || r.isDir && r.kind == arrived {
		w.todo.internal = true
	}
	if r.name != "" && r.kind != attributes {
		w.post(Event{Internal: true, Path: filepath.Join(dir, r.name)})
	}
}

// handleTree takes a report of a directory in the tree.
func (w *Watcher) handleTree(n *node, r report) {
	switch {
	case r.name == "":
		if r.kind == ended {
			delete(w.byWD, r.wd)
			n.wd = none
			w.todo.lost = append(w.todo.lost, n)
		}
	case w.skips(r.name):
		w.handleSkipped(n, r)
	case n.state == nested:
	case r.isDir:
		w.handleDir(n, r)
	default:
		if child := n.children[r.name]; child != nil { // a file has taken the place of a directory
			w.drop(child)
		}
		w.post(Event{Path: n.below(r.name), Gone: r.kind == left})
	}
}

// handleSkipped takes a report of a directory of version control, or of one like it. It
// makes the one above it a nested repository, or no longer one.
func (w *Watcher) handleSkipped(n *node, r report) {
	switch {
	case r.kind != arrived && r.kind != left:
	case n == w.top:
		w.post(Event{Internal: true, Path: filepath.Join(w.root, r.name)})
	default:
		w.todo.arrivals = append(w.todo.arrivals, n.place(true))
	}
}

// handleDir takes a report of a directory in a directory of the tree.
func (w *Watcher) handleDir(n *node, r report) {
	child := n.children[r.name]
	isIgnored := child != nil && child.state == ignored
	switch r.kind {
	case arrived:
		w.todo.arrivals = append(w.todo.arrivals, place{parent: n, name: r.name, announce: true})
	case left:
		if child != nil {
			w.drop(child)
		}
		if !isIgnored {
			w.post(Event{Path: n.below(r.name), Gone: true})
		}
	case attributes: // it may be readable now, or no longer
		if child != nil && !isIgnored {
			w.todo.arrivals = append(w.todo.arrivals, child.place(false))
		}
	}
}
