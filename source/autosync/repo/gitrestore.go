package repo

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// restore puts back the files that an unfinished checkout has changed. A file that has the new
// content, or the beginning of it, or that is missing, gets its old content from the index.
// Any other content is a change that somebody made since, and stays. Git removes a file before
// it writes the new one, so there are no other states.
func (g *gitRepo) restore(ctx context.Context, m *move) error {
	changes, err := g.difference(ctx, m.Old, m.New)
	if err != nil {
		return err
	}
	var paths []string
	for path, c := range changes {
		if !c.from.isLink() && !c.to.isLink() {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	found, err := g.hashFiles(ctx, paths)
	if err != nil {
		return err
	}
	var missing []string
	for _, path := range paths {
		isNew, err := g.isNewContent(ctx, path, found, changes[path].to)
		if err != nil {
			return err
		}
		if isNew {
			if err := os.Remove(g.abs(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if changes[path].from.exists() {
			missing = append(missing, path)
		} else if isNew {
			g.removeEmpty(filepath.Dir(g.abs(path)))
		}
	}
	return g.writeMissing(ctx, missing)
}

// isNewContent reports whether a file has what the checkout was to write, or the beginning of
// it.
func (g *gitRepo) isNewContent(ctx context.Context, path string, found map[string]entry, to entry) (bool, error) {
	e, exists := found[path]
	if !exists || !to.exists() {
		return false, nil
	}
	if e.hash == to.hash {
		return true, nil
	}
	if e.mode == "120000" || to.mode == "120000" {
		return false, nil
	}
	info, err := os.Lstat(g.abs(path))
	if err != nil {
		return false, err
	}
	whole, err := g.git(ctx, "cat-file", "--filters", "--path="+path, to.hash)
	if err != nil || int64(len(whole)) <= info.Size() {
		return false, err
	}
	begun, err := os.ReadFile(g.abs(path))
	return strings.HasPrefix(whole, string(begun)), err
}

// removeEmpty removes a directory of the work tree, and those above it, that are empty.
func (g *gitRepo) removeEmpty(dir string) {
	for dir != g.root && strings.HasPrefix(dir, g.root) && os.Remove(dir) == nil {
		dir = filepath.Dir(dir)
	}
}

// writeMissing writes files as they are in the index, where there is nothing.
func (g *gitRepo) writeMissing(ctx context.Context, paths []string) error {
	if _, err := g.copyIndex(g.newIndex()); err != nil {
		return err
	}
	var list strings.Builder
	for _, path := range paths {
		if len(g.obstacles(path, nil)) == 0 && g.isMissing(path) {
			list.WriteString(path + "\x00")
		}
	}
	env := []string{"GIT_INDEX_FILE=" + g.newIndex()}
	if list.Len() > 0 {
		run := gitRun{args: []string{"checkout-index", "-z", "--stdin"}, env: env, stdin: strings.NewReader(list.String())}
		if _, err := g.run(ctx, run); err != nil {
			return err
		}
	}
	g.run(ctx, gitRun{args: []string{"update-index", "-q", "--refresh"}, env: env}) // fails when a file was changed
	err := os.Rename(g.newIndex(), g.index())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// isMissing reports whether nothing has a path. An empty directory there is removed.
func (g *gitRepo) isMissing(path string) bool {
	os.Remove(g.abs(path) + string(filepath.Separator)) // fails for a file
	_, err := os.Lstat(g.abs(path))
	return err != nil
}
