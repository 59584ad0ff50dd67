package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"vext/internal/watchable"
)

// scan watches directories, and what is in them as far as it is new; with all, everything
// that is in them. It asks about the ignored ones of each level at once. A directory is
// watched before it is read, and reported after all in it was read: so no file is missed.
func (w *Watcher) scan(ctx context.Context, level []place, all bool) error {
	var found []place
	for len(level) > 0 {
		isIgnored, err := w.askIgnored(ctx, level, all)
		if err != nil {
			return err
		}
		var next []place
		for i, p := range level {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			next = w.enter(p, isIgnored[i], all, &found, next)
		}
		level = next
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range found {
		if p.parent == nil {
			w.post(Event{Path: ".", Dir: true})
		} else if n := p.parent.children[p.name]; n != nil && w.isIn(n) {
			w.post(Event{Path: n.path(), Dir: true})
		}
	}
	return nil
}

// askIgnored returns which of the places are ignored. Without all, those that are known
// stay what they are.
func (w *Watcher) askIgnored(ctx context.Context, level []place, all bool) ([]bool, error) {
	answer := make([]bool, len(level))
	var paths []string
	var at []int
	w.mu.Lock()
	for i, p := range level {
		if p.parent == nil {
			continue
		}
		n := p.parent.children[p.name]
		if n == nil || all {
			paths, at = append(paths, p.path()), append(at, i)
		} else {
			answer[i] = n.state == ignored
		}
	}
	w.mu.Unlock()
	if len(paths) == 0 || w.o.Ignored == nil {
		return answer, nil
	}
	isIgnored, err := w.o.Ignored(ctx, paths)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil { // rather too many watches than a change that nobody sees
		w.unsure = true
		w.warnOnce("ignored", fmt.Sprintf("%s: what is ignored is watched, too: %v", w.root, err))
	}
	for i, path := range paths {
		answer[at[i]] = isIgnored[path]
	}
	return answer, nil
}

// enter watches the directory at a place and reads it. It appends the places in it that
// must be entered next.
func (w *Watcher) enter(p place, isIgnored, all bool, found *[]place, next []place) []place {
	w.mu.Lock()
	n := w.find(p)
	if n == nil {
		w.mu.Unlock()
		return next
	}
	if isIgnored {
		w.clear(n)
		n.state = ignored
		w.mu.Unlock()
		return next
	}
	isNew, err := w.watchOrPoll(n)
	isNew = isNew || n.state != entered && n.state != nested
	path := w.abs(n.path())
	w.mu.Unlock()
	if err != nil {
		w.unable(n, path, err)
		return next
	}
	if p.announce || isNew && !p.below && n != w.top {
		*found = append(*found, p)
	}
	if !isNew && !all && !p.again {
		return next
	}
	if isNew || all {
		w.lookAtSystem(n, path)
	}
	w.mu.Lock()
	sign := n.isPolled() || n.signed
	w.mu.Unlock()
	listing, err := readDir(path, sign)
	if err != nil {
		w.unable(n, path, err)
		return next
	}
	return w.entered(n, listing, isNew, all, p.below || isNew, next)
}

// watchOrPoll watches a directory. An error that does not keep it from being polled is
// noted, and not returned.
func (w *Watcher) watchOrPoll(n *node) (isNew bool, err error) {
	if w.notifier == nil || w.full {
		return false, nil
	}
	isNew, err = w.watch(n)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.ENOMEM) {
		w.full, w.reason = true, err
		return isNew, nil
	}
	return isNew, err
}

// entered notes what a directory contains.
func (w *Watcher) entered(n *node, l listing, isNew, all, below bool, next []place) []place {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.isIn(n) {
		return next
	}
	wasNested := n.state == nested
	if l.nested && n != w.top {
		w.dropChildren(n)
		n.state = nested
		if !wasNested && !isNew {
			w.post(Event{Path: n.path(), Dir: true})
		}
		return next
	}
	n.state = entered
	if wasNested && !isNew {
		w.post(Event{Path: n.path(), Dir: true})
	}
	w.compare(n, l)
	w.dropMissing(n, l.dirs)
	for _, name := range l.dirs {
		if w.skips(name) {
			continue
		}
		if n.children[name] == nil || all || isNew {
			next = append(next, place{parent: n, name: name, below: below})
		}
	}
	return next
}

// dropMissing forgets the directories that are no longer in one.
func (w *Watcher) dropMissing(n *node, dirs []string) {
	if len(n.children) == 0 {
		return
	}
	exists := map[string]bool{}
	for _, name := range dirs {
		exists[name] = true
	}
	for name, child := range n.children {
		if !exists[name] {
			w.drop(child)
		}
	}
}

// compare reports a directory whose files are not those of the last scan.
func (w *Watcher) compare(n *node, l listing) {
	if !l.signed {
		n.signed, n.doubt = false, false
		return
	}
	differs := n.signed && n.sum != l.sum
	if differs || n.doubt {
		w.post(Event{Path: n.path(), Dir: true})
	}
	n.sum, n.signed, n.doubt = l.sum, n.isPolled(), differs
}

// unable notes that a directory cannot be watched or read.
func (w *Watcher) unable(n *node, path string, err error) {
	if n == w.top {
		w.fail(cmp.Or(w.checkRoot(), error(&GoneError{w.root, plain(err).Error()})))
		return
	}
	w.mu.Lock()
	if isGone(err) {
		w.drop(n)
		w.mu.Unlock()
		return
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENAMETOOLONG) {
		w.dropChildren(n)
	} else { // such as too many open files
		w.unsure = true
	}
	wasUnable := n.state == unreadable
	n.state = unreadable
	if w.isIn(n) && !wasUnable {
		w.post(Event{Path: n.path()})
	}
	w.mu.Unlock()
	if !wasUnable {
		w.warnOnce(path, fmt.Sprintf("%s: changes in it are not noticed: %v", path, plain(err)))
	}
}

// plain returns the reason of an error without the operation and the path.
func plain(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// lookAtSystem notes whether the file system of a directory reports its changes.
func (w *Watcher) lookAtSystem(n *node, path string) {
	info, err := os.Lstat(path)
	if err != nil {
		return
	}
	device := device(info)
	w.mu.Lock()
	same := n.parent != nil && n.parent.device == device
	if same {
		n.network = n.parent.network
	}
	isKnown := same || n.device == device && n.device != 0
	n.device = device
	w.mu.Unlock()
	if isKnown || w.notifier == nil {
		return
	}
	err = watchable.Unreliable(path)
	w.mu.Lock()
	defer w.mu.Unlock()
	if n.network = err != nil; n.network {
		w.unreliable = err
	}
	if n == w.top {
		w.remote.Store(n.network)
	}
}

func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}
