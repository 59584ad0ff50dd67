package queue

import (
	"cmp"

	"vext/internal/commit"
)

// Distrusts returns why a commit is not to be believed that came by a way by
// which anybody can have written it, "" when it is. It is what is asked of such
// a commit before it is reminded of, but for its branch.
func (p *Policy) Distrusts(c *commit.Commit) string {
	if !commit.Forgeable(c.Source) {
		return ""
	}
	return cmp.Or(p.ignoresSender(c), p.ignoresRepository(c))
}
