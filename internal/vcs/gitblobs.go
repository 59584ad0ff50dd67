package vcs

import (
	"context"
	"strings"

	"vext/internal/commit"
)

// FetchBlobs fetches, in one batch, the blobs that a clone without blobs lacks for making
// changes in trees: what the changes replace, and the same paths in the trees. It does
// nothing for a repository that is not a clone. Renamed files in the trees are not found, so
// a merge that needs them fails.
func (s *Scratch) FetchBlobs(ctx context.Context, changes []Change, trees []string) error {
	if s.of.url.IsZero() || len(changes) == 0 {
		return nil
	}
	paths, blobs, err := s.changed(ctx, changes)
	if err != nil {
		return err
	}
	for _, tree := range trees {
		if err := s.blobsAt(ctx, tree, paths, blobs); err != nil {
			return err
		}
	}
	var all, missing []string
	for blob := range blobs {
		all = append(all, blob)
	}
	there, err := s.objects(ctx, all)
	if err != nil {
		return err
	}
	for i, hash := range there {
		if hash == "" {
			missing = append(missing, all[i])
		}
	}
	if len(missing) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return s.of.fetch(ctx, unique(missing), "-c", "fetch.negotiationAlgorithm=noop")
}

// changed returns the paths of changes, as git quotes them, and their blobs before and after.
func (s *Scratch) changed(ctx context.Context, changes []Change) (paths, blobs map[string]bool, err error) {
	paths, blobs = map[string]bool{}, map[string]bool{}
	var pairs []string
	for _, c := range changes {
		pairs = append(pairs, c.Base+" "+c.Tree)
	}
	cmd := s.git(ctx, "diff-tree", "--stdin", "-r", "--raw", "--no-abbrev", "--no-renames")
	cmd.Stdin = input(pairs)
	err = readLines(ctx, cmd, func(line string) {
		about, path, isChange := strings.Cut(line, "\t")
		fields := strings.Fields(about) // :mode mode blob blob status, git-diff-tree(1)
		if !isChange || len(fields) != 5 {
			return
		}
		paths[path] = true
		for i, mode := range []string{strings.TrimPrefix(fields[0], ":"), fields[1]} {
			if hash := fields[2+i]; mode != submodule && commit.IsHash(hash) && strings.Trim(hash, "0") != "" {
				blobs[hash] = true
			}
		}
	})
	return paths, blobs, err
}

// blobsAt adds the blobs of paths in a tree.
func (s *Scratch) blobsAt(ctx context.Context, tree string, paths, blobs map[string]bool) error {
	return readLines(ctx, s.git(ctx, "ls-tree", "-r", "--full-tree", tree), func(line string) {
		about, path, _ := strings.Cut(line, "\t")
		if fields := strings.Fields(about); len(fields) == 3 && fields[1] == "blob" && paths[path] {
			blobs[fields[2]] = true
		}
	})
}
