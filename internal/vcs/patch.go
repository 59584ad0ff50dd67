package vcs

import (
	"context"
	"io"
	"slices"
	"strings"

	"vext/internal/commit"
)

// A Patcher is a repository that identifies the changes of commits.
type Patcher interface {
	// Patches returns the identity of each commit's change by the commit's hash:
	// git-patch-id(1), which a rebase preserves as long as the lines around the
	// change are the same. A merge, and a commit that changes nothing, have none.
	Patches(ctx context.Context, revisions []string) (map[string]string, error)
}

// Patches implements Patcher. It fetches the blobs that a clone without blobs lacks.
func (g *gitRepository) Patches(ctx context.Context, revisions []string) (map[string]string, error) {
	patches, err := g.patches(ctx, revisions)
	if err == nil || g.url.IsZero() || ctx.Err() != nil {
		return patches, err
	}
	if err := g.fetchBlobs(ctx, revisions); err != nil {
		return nil, err
	}
	return g.patches(ctx, revisions)
}

func (g *gitRepository) patches(ctx context.Context, revisions []string) (map[string]string, error) {
	diff := g.git(ctx, "diff-tree", "--stdin", "-p", "--root", "--no-renames", "--no-ext-diff", "--no-textconv")
	diff.Stdin = strings.NewReader(strings.Join(revisions, "\n") + "\n")
	patches := map[string]string{}
	err := stream(ctx, diff, func(r io.Reader) error {
		id := g.git(ctx, "patch-id", "--stable")
		id.Stdin = r
		out, err := output(ctx, id)
		for line := range strings.Lines(out) {
			if patch, revision, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
				patches[revision] = patch
			}
		}
		return err
	})
	return patches, err
}

// fetchBlobs fetches what commits changed, before and after.
func (g *gitRepository) fetchBlobs(ctx context.Context, revisions []string) error {
	raw := g.git(ctx, "diff-tree", "--stdin", "-r", "--root", "--raw", "--no-abbrev", "--no-renames")
	raw.Stdin = strings.NewReader(strings.Join(revisions, "\n") + "\n")
	out, err := output(ctx, raw)
	if err != nil {
		return err
	}
	var blobs []string
	for line := range strings.Lines(out) {
		fields := strings.Fields(line) // :mode mode blob blob status path, git-diff-tree(1)
		if len(fields) < 5 || !strings.HasPrefix(line, ":") {
			continue
		}
		for i, mode := range []string{strings.TrimPrefix(fields[0], ":"), fields[1]} {
			if hash := fields[2+i]; mode != submodule && commit.IsHash(hash) && strings.Trim(hash, "0") != "" {
				blobs = append(blobs, hash)
			}
		}
	}
	slices.Sort(blobs)
	return g.fetch(ctx, slices.Compact(blobs), "-c", "fetch.negotiationAlgorithm=noop")
}

// submodule is the mode of an entry that is not a blob but a commit of another
// repository.
const submodule = "160000"
