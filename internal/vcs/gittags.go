package vcs

import (
	"context"
	"strings"

	"vext/internal/commit"
)

// tagsPrefix begins the refnames of tags.
const tagsPrefix = "refs/tags/"

// Tags implements GitRepository.
func (g *gitRepository) Tags(ctx context.Context, hash string) (containing []string, hasTags bool, err error) {
	text, err := output(ctx, g.git(ctx, "for-each-ref", "--count=1", "--format=%(refname)", tagsPrefix))
	if err != nil || text == "" || !commit.IsHash(hash) {
		return nil, text != "", err
	}
	text, err = output(ctx, g.git(ctx, "for-each-ref", "--format=%(refname)", "--contains="+hash, tagsPrefix))
	for line := range strings.Lines(text) {
		containing = append(containing, strings.TrimPrefix(strings.TrimSpace(line), tagsPrefix))
	}
	return containing, true, err
}
