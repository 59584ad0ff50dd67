package vcs

import (
	"context"
	"strings"

	"vext/internal/commit"
)

// A Lister is a repository whose Walk does not list the files of a commit, because
// that takes too long.
type Lister interface {
	// Files returns the changed files of commits by their hashes. A merge has none.
	Files(ctx context.Context, revisions []string) (map[string]commit.Files, error)
}

// Files implements Lister.
func (g *gitRepository) Files(ctx context.Context, revisions []string) (map[string]commit.Files, error) {
	cmd := g.git(ctx, "-c", "core.quotePath=false", "diff-tree", "--stdin", "-r", "--root", "--name-only", "--no-ext-diff", "--no-textconv")
	cmd.Stdin = strings.NewReader(strings.Join(revisions, "\n") + "\n")
	out, err := output(ctx, cmd)
	if err != nil {
		return nil, err
	}
	files := map[string]commit.Files{}
	revision := ""
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if commit.IsHash(line) {
			revision = line
			continue
		}
		f := files[revision]
		f.Add(line)
		files[revision] = f
	}
	return files, nil
}
