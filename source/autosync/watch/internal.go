package watch

import (
	"path/filepath"

	"vext/internal/watchable"
)

// watchInternal watches the directories of the version control, as far as they exist.
func (w *Watcher) watchInternal() {
	if w.o.Internal == nil {
		return
	}
	dirs := w.o.Internal()
	watched, unseen := map[int32]string{}, map[string]uint64{}
	for _, dir := range dirs {
		wd, err := w.watchOne(dir)
		if isGone(err) {
			continue
		}
		if err == nil {
			watched[wd] = dir
		}
		if err != nil || watchable.Unreliable(dir) != nil {
			unseen[dir] = w.unseen[dir]
			if _, isKnown := w.unseen[dir]; !isKnown {
				unseen[dir] = signDir(dir)
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for wd := range w.internal {
		if watched[wd] == "" && w.byWD[wd] == nil && !w.above[wd] {
			w.notifier.remove(wd)
		}
	}
	w.internal, w.unseen = watched, unseen
}

// watchOne watches one directory of the version control.
func (w *Watcher) watchOne(dir string) (int32, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.notifier == nil {
		return none, w.reason
	}
	wd, err := w.notifier.add(dir)
	if err == nil {
		w.internal[wd] = dir
	}
	return wd, err
}

// pollInternal reads those directories of the version control that are not watched.
func (w *Watcher) pollInternal() {
	for dir, before := range w.unseen {
		if sum := signDir(dir); sum != before {
			w.unseen[dir] = sum
			w.mu.Lock()
			w.post(Event{Internal: true, Path: dir})
			w.mu.Unlock()
		}
	}
}

// signDir returns the signature of the files in a directory; 0 when there is none.
func signDir(dir string) uint64 {
	l, err := readDir(dir, true)
	if err != nil {
		return 0
	}
	return l.sum
}

// watchAbove watches whether a directory above the root is moved: no watch in the tree
// reports that.
func (w *Watcher) watchAbove() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.notifier == nil {
		return
	}
	above := map[int32]bool{}
	for dir := filepath.Dir(w.root); ; dir = filepath.Dir(dir) {
		if wd, err := w.notifier.addSelf(dir); err == nil { // one that cannot be read is not watched
			above[wd] = true
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	w.above = above
}
