package autosync

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"vext/internal/text"
	"vext/source/autosync/repo"
)

// maxPaths is the number of paths up to which the version control is asked about these
// paths only; it reads a whole tree faster than it does many paths.
const maxPaths = 100

// commit commits a batch. An error is noted as a setback, too.
func (t *Tree) commit(ctx context.Context, b *batch) error {
	var c *repo.Commit
	err := t.doing(func() (err error) {
		t.mu.Lock()
		t.committing = t.own
		t.mu.Unlock()
		if c, err = t.makeCommit(ctx, b); err == nil && b.force {
			t.acceptUnmounted()
		}
		return err
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.o.Now()
	t.committing = t.own
	if err != nil {
		if ctx.Err() == nil {
			t.setBack(&t.commits, err, now, t.o.Poll)
		}
		return err
	}
	t.wentWell(&t.commits)
	t.pending.done(b, c != nil && c.Hash != "")
	t.looked = t.looked || b.paths[whole]
	if c == nil {
		return nil
	}
	t.noteRefused(c.Refused)
	if c.Hash != "" {
		t.committed(c, now)
	}
	return nil
}

// makeCommit makes a commit of what has really changed in a batch, nil if nothing has.
func (t *Tree) makeCommit(ctx context.Context, b *batch) (*repo.Commit, error) {
	if err := t.checkRoot(); err != nil {
		return nil, err
	}
	if t.o.DryRun == nil {
		if err := t.repo.Ready(ctx); err != nil {
			return nil, err
		}
	}
	changes, err := t.changes(ctx, b)
	if err != nil {
		return nil, err
	}
	if err := t.checkMounts(b, changes); err != nil {
		return nil, err
	}
	chosen := t.closed(b, t.choose(b, changes))
	if len(chosen) == 0 {
		return nil, nil
	}
	if err := t.guard(ctx, b, chosen); err != nil {
		return nil, err
	}
	if t.o.DryRun != nil {
		return nil, t.showCommit(ctx, chosen)
	}
	return t.repo.Commit(ctx, chosen, t.writer.write)
}

// changes returns what differs from the last commit, of a batch at least.
func (t *Tree) changes(ctx context.Context, b *batch) ([]repo.Change, error) {
	if b.paths[whole] || len(b.paths) > maxPaths {
		return t.repo.Changes(ctx)
	}
	paths := make([]string, 0, len(b.paths))
	for p := range b.paths {
		paths = append(paths, p)
	}
	return t.repo.Changes(ctx, paths...)
}

// checkRoot returns a *repo.StoppedError when the tree, or its repository, is gone. Then
// its files are not deleted.
func (t *Tree) checkRoot() error {
	if _, err := os.Lstat(t.Root()); err != nil {
		return &repo.StoppedError{Reason: t.Root() + " is gone; is its file system unmounted?"}
	}
	if dirs := t.repo.Internal(); len(dirs) > 0 { // the others come and go
		if _, err := os.Lstat(dirs[0]); err != nil {
			return &repo.StoppedError{Reason: dirs[0] + " is gone: nothing is committed, also no deletion, until it is back"}
		}
	}
	return nil
}

// choose returns the changes of a batch that can be committed, and notes the others: those
// that go on are pending again, and those that never are committed are in t.skipped.
func (t *Tree) choose(b *batch, changes []repo.Change) []repo.Change {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.skipped
	t.skipped = map[string]skip{}
	for p, s := range before {
		if !b.has(p) {
			t.skipped[p] = s
		}
	}
	var chosen []repo.Change
	var said []string
	for _, c := range changes {
		if !t.isIn(b, c) {
			continue
		}
		if s := t.skips(c); s != nil {
			said = append(said, t.skip(c.Path, *s, before)...)
		} else if t.rests(b, c) {
			chosen = append(chosen, c)
		}
	}
	t.noticeSkipped(said)
	return chosen
}

// isIn reports whether a change is in a batch, and not in what waits longer than that.
func (t *Tree) isIn(b *batch, c repo.Change) bool {
	if b.force {
		return true
	}
	for p := c.Path; ; p = path.Dir(p) {
		switch {
		case b.paths[p]:
			return true
		case t.pending.waiting[p] != nil, p == ".", p == "/":
			return false
		}
	}
}

// rests reports whether the file of a change stands still; if not, it is pending again.
func (t *Tree) rests(b *batch, c repo.Change) bool {
	w := t.pending.waiting[c.Path]
	now := t.o.Now()
	exists := c.Kind != repo.Deleted
	switch {
	case b.force, t.pending.isOverdue(c.Path, now):
		return true
	case w != nil && w.gone == exists, w != nil && exists && w.look != lookOf(c.Info):
		t.postpone(b, c, now)
		return false
	case w == nil && (b.paths[whole] || t.kinds.ignored[kindOf(c.Path)]) && exists && isYoung(c.Info, now, t.o.Quiet):
		t.postpone(b, c, now)
		return false
	}
	return true
}

// postpone has a path wait for its quiet time again.
func (t *Tree) postpone(b *batch, c repo.Change, now time.Time) {
	t.touch(c.Path, now, lookOf(c.Info), c.Kind != repo.Deleted, IsTemporary(c.Path))
	delete(b.paths, c.Path)
}

// closed returns the changes without files that a process has open for writing.
func (t *Tree) closed(b *batch, changes []repo.Change) []repo.Change {
	if b.force {
		return changes
	}
	now := t.o.Now()
	var paths []string
	t.mu.Lock()
	for _, c := range changes {
		if c.Info != nil && c.Info.Mode().IsRegular() && !t.pending.isOverdue(c.Path, now) {
			paths = append(paths, t.absolute(c.Path))
		}
	}
	t.mu.Unlock()
	open, err := t.rules.open(paths)
	if err != nil {
		t.o.Log.Debug("it is unknown which files are open for writing", "tree", t.Root(), "error", err)
	}
	if len(open) == 0 {
		return changes
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.DeleteFunc(changes, func(c repo.Change) bool {
		isOpen := open[t.absolute(c.Path)] && !t.pending.isOverdue(c.Path, now)
		if isOpen {
			t.postpone(b, c, now)
		}
		return isOpen
	})
}

// isYoung reports whether a file has changed within the quiet time. A time in the future
// says nothing.
func isYoung(info fs.FileInfo, now time.Time, quiet time.Duration) bool {
	if info == nil {
		return false
	}
	for _, at := range []time.Time{info.ModTime(), changeTime(info)} {
		if age := now.Sub(at); age >= 0 && age < quiet {
			return true
		}
	}
	return false
}

// A skip is why a file is not committed.
type skip struct {
	kind   skipKind
	reason string
}

type skipKind int

const (
	skipQuietly skipKind = iota // temporary, or ignored by the options
	skipStaged                  // a person commits it
	skipTooLarge
	skipRefused
)

// skips returns why a change is never committed, nil if it is.
func (t *Tree) skips(c repo.Change) *skip {
	switch {
	case c.Kind == repo.Nested:
		return &skip{skipRefused, "a repository of its own"}
	case t.rules.ignore.Match(c.Path, false):
		return &skip{kind: skipQuietly}
	case c.Kind == repo.Added && IsTemporary(c.Path):
		return &skip{kind: skipQuietly}
	case c.Refuse != "":
		return &skip{skipRefused, c.Refuse}
	case c.Staged:
		return &skip{skipStaged, "a person has staged it"}
	case c.Info != nil && c.Info.Mode().IsRegular() && t.o.MaxFile > 0 && c.Info.Size() > t.o.MaxFile:
		return &skip{skipTooLarge, fmt.Sprintf("%s, and max_file is %s", size(c.Info.Size()), size(t.o.MaxFile))}
	}
	return nil
}

// skip notes that a file is not committed. It says so in the log, and returns it for the
// person, when that is new.
func (t *Tree) skip(path string, s skip, before map[string]skip) (said []string) {
	if s.kind == skipQuietly {
		return nil
	}
	t.skipped[path] = s
	switch {
	case before[path].reason == s.reason:
		return nil
	case s.kind == skipStaged:
		t.o.Log.Info("staged, and left to the person who did it", "tree", t.Root(), "file", path)
		return nil
	}
	t.o.Log.Warn("not committed", "tree", t.Root(), "file", path, "reason", s.reason)
	return []string{text.OneLine(path) + ": " + s.reason}
}

// noteRefused notes files that the version control has not taken. The caller has the lock.
func (t *Tree) noteRefused(changes []repo.Change) {
	var said []string
	for _, c := range changes {
		said = append(said, t.skip(c.Path, skip{skipRefused, c.Refuse}, t.skipped)...)
	}
	t.noticeSkipped(said)
}

// committed notes a commit. The caller has the lock.
func (t *Tree) committed(c *repo.Commit, now time.Time) {
	subject, _, _ := strings.Cut(c.Message, "\n")
	if t.pending.echoes == minVain {
		t.o.Log.Warn("each commit changes files, as a hook may do: these wait longer and longer", "tree", t.Root(), "commit", c.Hash)
	}
	t.lastCommit = &CommitStatus{Hash: c.Hash, Time: now, Subject: subject}
	t.remote.head = c.Hash
	t.remote.unpushed++ // until it is counted
	t.remote.pushAt = now.Add(t.o.PushAfter)
	t.checks = 0
	if c.Unfinished {
		t.unfinished, t.checkAt = true, now.Add(repairPause)
	}
	t.o.Log.Info("committed", "tree", t.Root(), "commit", c.Hash, "subject", subject)
}

// showCommit says what would be committed.
func (t *Tree) showCommit(ctx context.Context, changes []repo.Change) error {
	stats := make([]repo.Stat, len(changes))
	var b strings.Builder
	for i, c := range changes {
		stats[i] = repo.Stat{Path: c.Path, Kind: c.Kind}
	}
	message, err := t.writer.write(ctx, stats)
	if err != nil {
		return err
	}
	fmt.Fprintf(&b, "%s: would commit %s\n", t.Root(), countFiles(len(changes)))
	for _, c := range changes {
		fmt.Fprintf(&b, "  %s %s\n", c.Kind, fit(c.Path, 1000))
	}
	for line := range strings.Lines(message) {
		fmt.Fprintf(&b, "  | %s\n", strings.TrimRight(line, "\n"))
	}
	fmt.Fprintf(&b, "%s: would run %s commit, then pull and push", t.Root(), t.repo.Kind())
	t.o.DryRun(b.String())
	return nil
}
