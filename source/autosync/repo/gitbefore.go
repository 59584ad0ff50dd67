package repo

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Bounds of the refs that keep what was there before an integration: the last ones are kept,
// and of those before only the young ones, but not without end.
const (
	minBefore    = 100
	maxBefore    = 1000
	maxBeforeAge = 30 * 24 * time.Hour
	beforeEvery  = 20 // integrations between two counts
	beforeFormat = "20060102T150405.000Z"
)

// keepBefore makes a ref that keeps a commit, and removes those that are too many and too old.
func (g *gitRepo) keepBefore(ctx context.Context, head string) error {
	if head == "" {
		return nil
	}
	now := g.now().UTC()
	commands := fmt.Sprintf("update %s%s %s\n", beforeDir, now.Format(beforeFormat), head)
	var kept []string // in the order of time
	if g.integrations++; g.integrations%beforeEvery == 1 {
		out, err := g.git(ctx, "for-each-ref", "--format=%(refname)", beforeDir)
		if err != nil {
			return err
		}
		kept = strings.Fields(out)
	}
	for len(kept) >= minBefore {
		at, err := time.Parse(beforeFormat, strings.TrimPrefix(kept[0], beforeDir))
		if err == nil && now.Sub(at) < maxBeforeAge && len(kept) < maxBefore {
			break
		}
		commands += "delete " + kept[0] + "\n"
		kept = kept[1:]
	}
	_, err := g.run(ctx, gitRun{args: []string{"update-ref", "--stdin"}, stdin: strings.NewReader(commands)})
	return err
}

// now returns the time.
func (g *gitRepo) now() time.Time {
	if g.opts.Now == nil {
		return time.Time{}
	}
	return g.opts.Now()
}
