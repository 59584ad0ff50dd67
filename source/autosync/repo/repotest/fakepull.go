package repotest

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"vext/source/autosync/repo"
)

// Unpushed returns how many commits the remote lacked when it was last asked.
func (f *Fake) Unpushed(ctx context.Context) (int, error) {
	if err := f.call(ctx, "Unpushed"); err != nil {
		return 0, err
	}
	defer f.mu.Unlock()
	return len(f.remote.missing(f.head, f.upstream)), nil
}

// Push makes the last commit that of the remote, if that has nothing else.
func (f *Fake) Push(ctx context.Context) (*repo.Pushed, error) {
	if err := f.call(ctx, "Push"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	now := f.remote.Head()
	switch {
	case f.head == now || f.head == "":
		f.upstream = now
		return nil, nil
	case !f.remote.isIn(now, f.head) || !f.remote.push(now, f.head):
		return nil, repo.ErrBehind
	}
	f.upstream = f.head
	return &repo.Pushed{Old: now, New: f.head}, nil
}

// Pull integrates what the remote has.
func (f *Fake) Pull(ctx context.Context, _ repo.PullOptions) (*repo.Pulled, error) {
	if err := f.call(ctx, "Pull"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	theirs := f.remote.Head()
	p := &repo.Pulled{Before: f.head, After: f.head, Upstream: theirs}
	switch {
	case theirs == "" && f.upstream != "":
		return nil, &repo.StoppedError{Reason: "the remote branch was deleted"}
	case !f.remote.isIn(f.upstream, theirs):
		return nil, &repo.StoppedError{Reason: "the remote branch was forced"}
	case f.remote.isIn(theirs, f.head):
		f.upstream = theirs
		return p, nil
	case f.head != "" && f.remote.base(f.head, theirs) == "":
		return nil, &repo.StoppedError{Reason: "the histories have nothing in common"}
	}
	for _, c := range f.remote.missing(theirs, f.head) {
		subject, _, _ := strings.Cut(c.message, "\n")
		p.Commits = append(p.Commits, repo.Incoming{Hash: c.hash, Author: c.author, Subject: subject})
	}
	next, err := f.integrate(theirs, p)
	if err != nil {
		return nil, err
	}
	if err := f.checkout(f.remote.tree(next)); err != nil {
		return nil, err
	}
	f.upstream, p.After = theirs, next
	return p, f.setHead(next)
}

// integrate makes the commits that follow theirs, or one merge, and returns the last.
func (f *Fake) integrate(theirs string, p *repo.Pulled) (string, error) {
	ours := f.remote.missing(f.head, theirs)
	slices.Reverse(ours)
	if len(ours) == 0 {
		return theirs, nil
	}
	tree := maps.Clone(f.remote.tree(theirs))
	if f.o.Merge {
		base := f.remote.tree(f.remote.base(f.head, theirs))
		if err := f.replay(tree, base, f.remote.tree(f.head), p); err != nil {
			return "", err
		}
		return f.remote.add(&commit{parents: parents(f.head, theirs), tree: tree, message: "merge", author: f.o.Host}), nil
	}
	last := theirs
	for _, c := range ours {
		var from map[string]entry
		if len(c.parents) > 0 {
			from = f.remote.tree(c.parents[0])
		}
		if err := f.replay(tree, from, c.tree, p); err != nil {
			return "", err
		}
		last = f.remote.add(&commit{parents: parents(last), tree: maps.Clone(tree), message: c.message, author: c.author})
		p.Rebased++
	}
	return last, nil
}

// replay makes in a tree the changes between two others.
func (f *Fake) replay(tree, from, to map[string]entry, p *repo.Pulled) error {
	both := maps.Clone(to)
	maps.Copy(both, from)
	for _, name := range slices.Sorted(maps.Keys(both)) {
		old, isOld := from[name]
		ours, isOurs := to[name]
		theirs, isTheirs := tree[name]
		switch {
		case isOld == isOurs && old == ours, isOurs == isTheirs && ours == theirs:
		case isOld == isTheirs && old == theirs:
			put(tree, name, ours, isOurs)
		default:
			if err := f.conflict(tree, name, ours, isOurs, isTheirs, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// put sets or removes a file of a tree.
func put(tree map[string]entry, name string, e entry, isThere bool) {
	delete(tree, name)
	if isThere {
		tree[name] = e
	}
}

// conflict decides about a file that both sides have changed.
func (f *Fake) conflict(tree map[string]entry, name string, ours entry, isOurs, isTheirs bool, p *repo.Pulled) error {
	c := repo.Conflict{Path: name}
	switch {
	case f.o.Conflict == repo.Stop:
		return &repo.StoppedError{Reason: name + " was changed on both sides"}
	case !isOurs:
		c.Text = "deleted here and changed there: kept"
	case !isTheirs:
		c.Text = "changed here and deleted there: kept"
		tree[name] = ours
	case f.o.Conflict == repo.Ours:
		c.Text = "changed on both sides: ours kept"
		tree[name] = ours
	case f.o.Conflict == repo.Theirs:
		c.Text = "changed on both sides: theirs kept"
	default:
		c.Copy = repo.ConflictName(name, f.o.Host, f.o.Now(), func(n string) bool {
			_, err := os.Lstat(f.path(n))
			_, is := tree[n]
			return is || err == nil
		})
		c.Text = "changed on both sides: ours is " + c.Copy
		tree[c.Copy] = ours
	}
	p.Conflicts = append(p.Conflicts, c)
	return nil
}

// checkout makes the directory what a tree is, or returns repo.ErrChanged and changes
// nothing, if a file that it must write differs from the last commit.
func (f *Fake) checkout(next map[string]entry) error {
	now := f.remote.tree(f.head)
	all := maps.Clone(next)
	maps.Copy(all, now)
	var write []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		e, is := next[name]
		old, was := now[name]
		if is == was && e == old {
			continue
		}
		there, err := readEntry(f.path(name))
		if exists := err == nil; (exists != was || there != old) && (exists != is || there != e) {
			return repo.ErrChanged
		}
		write = append(write, name)
	}
	for _, name := range write {
		if _, is := next[name]; !is {
			f.remove(name)
		}
	}
	for _, name := range write {
		if e, is := next[name]; is {
			if err := writeEntry(f.path(name), e); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove removes a file, and the directories that become empty.
func (f *Fake) remove(name string) {
	for full := f.path(name); full != f.o.Path; full = filepath.Dir(full) {
		if os.Remove(full) != nil {
			return
		}
	}
}

// writeEntry writes a file.
func writeEntry(full string, e entry) error {
	if err := os.MkdirAll(filepath.Dir(full), 0o777); err != nil {
		return err
	}
	os.Remove(full)
	if e.mode&os.ModeSymlink != 0 {
		return os.Symlink(e.content, full)
	}
	if err := os.WriteFile(full, []byte(e.content), e.mode); err != nil {
		return err
	}
	return os.Chmod(full, e.mode)
}
