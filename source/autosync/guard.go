package autosync

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"

	"vext/internal/calendar"
	"vext/source/autosync/repo"
)

// A heldError says that more has changed than is committed without Now.
type heldError struct{ reason string }

func (e *heldError) Error() string { return e.reason }

// guard returns an error when changes look like those of a wiped disk, or of a file system
// that is mounted in the wrong place.
func (t *Tree) guard(ctx context.Context, b *batch, changes []repo.Change) error {
	if b.force {
		return nil
	}
	if n := len(changes); n >= minWiped && !slices.ContainsFunc(changes, func(c repo.Change) bool { return c.Kind != repo.Deleted }) && t.isEmpty() {
		return &repo.StoppedError{Reason: fmt.Sprintf("all files are gone (%d): nothing is committed until they are back, or \"vext autosync now\" says that they are deleted", n)}
	}
	var bytes int64
	tracked := 0
	for _, c := range changes {
		if c.Kind != repo.Added {
			tracked++
		}
		if c.Kind != repo.Deleted && c.Info != nil && c.Info.Mode().IsRegular() {
			bytes += c.Info.Size()
		}
	}
	maxFiles := t.o.MaxChangeFiles
	if maxFiles > 0 && tracked > maxFiles {
		tracked -= t.moved(ctx, changes)
	}
	switch {
	case maxFiles > 0 && tracked > maxFiles:
		return &heldError{fmt.Sprintf("%s changed or deleted at once, more than max_change (%d): vext autosync now commits them", filesWere(tracked), maxFiles)}
	case t.o.MaxChangeBytes > 0 && bytes > t.o.MaxChangeBytes:
		return &heldError{fmt.Sprintf("%s to add at once, more than max_change (%s): vext autosync now commits them", size(bytes), size(t.o.MaxChangeBytes))}
	}
	return nil
}

// minWiped is the number of files from which it is suspicious that all are gone.
const minWiped = 3

func countFiles(n int) string { return calendar.Plural(n, "file") }

func filesWere(n int) string { return calendar.Verb(n, "file was", "files were") }

// isEmpty reports whether there is no file in the tree but those of the version control.
func (t *Tree) isEmpty() bool {
	empty := true
	filepath.WalkDir(t.Root(), func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil, !d.IsDir():
			empty = false
			return fs.SkipAll
		case slices.Contains(vcsDirs, d.Name()) && filepath.Dir(name) == t.Root(), t.isOwn(name):
			return fs.SkipDir
		}
		return nil
	})
	return empty
}

// isOwn reports whether a directory is one of the version control.
func (t *Tree) isOwn(dir string) bool {
	return slices.Contains(t.repo.Internal(), dir) || dir == t.repo.Dir()
}

// moved returns how many of the deleted files are there again under another name: a new
// file has the same size, or the same name where sizes are unknown.
func (t *Tree) moved(ctx context.Context, changes []repo.Change) (n int) {
	var gone []string
	for _, c := range changes {
		if c.Kind == repo.Deleted {
			gone = append(gone, c.Path)
		}
	}
	key := func(name string, _ int64) string { return path.Base(name) }
	sizes, err := t.sizes(ctx, gone)
	if err != nil {
		t.o.Log.Debug("the sizes of deleted files are unknown", "tree", t.Root(), "error", err)
	} else if sizes != nil {
		key = func(_ string, size int64) string { return fmt.Sprint(size) }
	}
	added := map[string]int{}
	for _, c := range changes {
		if c.Kind == repo.Added && c.Info != nil {
			added[key(c.Path, c.Info.Size())]++
		}
	}
	for _, name := range gone {
		if k := key(name, sizes[name]); added[k] > 0 {
			added[k]--
			n++
		}
	}
	return n
}

// sizes returns the sizes of files in the last commit, nil if they are unknown.
func (t *Tree) sizes(ctx context.Context, paths []string) (map[string]int64, error) {
	if l, ok := t.repo.(repo.Lister); ok {
		return l.Sizes(ctx, paths)
	}
	return nil, nil
}
