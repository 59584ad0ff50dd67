package backport

import (
	"context"
	"fmt"

	"vext/internal/vcs"
)

// Open returns the Looker of a repository, after an Update.
func Open(ctx context.Context, o Options) (Looker, error) {
	if o.Kind != vcs.Git {
		return nil, fmt.Errorf("%s: what became of its commits is not known for repositories of %s", o.Dir, o.Kind)
	}
	g, err := newGitLooker(o)
	if err != nil {
		return nil, err
	}
	return g, g.Update(ctx)
}
