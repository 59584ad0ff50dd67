package queue

import (
	"cmp"

	"vext/internal/commit"
)

// Distrusts returns why a commit from a forgeable source is ignored, "" when it is not.
// It checks all that is checked before a reminder, except the branch.
func (p *Policy) Distrusts(c *commit.Commit) string {
	if !commit.Forgeable(c.Source) {
		return ""
	}
	return cmp.Or(p.ignoresSender(c), p.ignoresRepository(c))
}
