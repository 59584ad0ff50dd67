package queue

import (
	"fmt"

	"vext/internal/commit"
)

// Distrusts returns why a commit is not to be believed that came by a way by
// which anybody can have written it, "" when it is. It is what is asked of such
// a commit before it is reminded of, but for its branch.
func (p *Policy) Distrusts(c *commit.Commit) string {
	switch {
	case !commit.Forgeable(c.Source):
	case !matchAny(p.Senders, c.Sender, true):
		return fmt.Sprintf("sender %s is not listed in senders", c.Sender)
	case !p.HasRepository(p.Repositories, c.Repository):
		return fmt.Sprintf("repository %q is not listed in repositories", c.Repository)
	}
	return ""
}
