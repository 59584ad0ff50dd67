package follow

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"vext/filter"
	"vext/internal/commit"
	"vext/internal/vcs"
)

// gapTimeout is how long vext waits for a missing revision. Revisions arrive in
// order, but a mirror, or a truncated log, can lack one for a while.
const gapTimeout = time.Hour

// errGap ends a walk at a revision that is missing.
var errGap = errors.New("a revision is missing")

// walkRevisions is ranges and walk for Subversion, whose history is a sequence of
// numbers.
func (p *pass) walkRevisions(ctx context.Context, svn vcs.SvnRepository, tip string) error {
	s := p.state
	last := vcs.SvnNumber(tip)
	position, begun := s.Positions[""]
	if position != tip {
		branches, err := svn.Branches(ctx)
		if err != nil {
			return err
		}
		p.warn(branches)
	}
	r, counts := vcs.Range{New: tip, Since: []string{position}}, true
	var err error
	switch done := vcs.SvnNumber(position); {
	case begun && s.ID != "" && s.ID != svn.ID():
		r = p.byDate(vcs.Range{New: tip}, p.since(), "another repository is at "+s.Where+" now")
	case begun && done > last:
		why := fmt.Sprintf("the newest revision was r%d and is r%d: was the repository restored? Revisions with a number that was used before count as known", done, last)
		r = p.byDate(vcs.Range{New: tip}, p.since(), why)
	case !begun && s.Begun: // before, another system did
		r = p.byDate(vcs.Range{New: tip}, p.since(), "it is a Subversion repository now")
	case !begun:
		r, counts, err = p.firstRange(ctx, "", tip)
	}
	switch {
	case err != nil:
		return err
	case !counts || last == 0:
		s.Positions[""], s.Gap = tip, nil
		p.noteByDate(p.why[""], filter.Accepted{})
	default:
		if err := p.walkFrom(ctx, svn, vcs.SvnNumber(strings.Join(r.Since, "")), last, r); err != nil {
			return err
		}
	}
	_, s.Begun = s.Positions[""] // false until the revision in from exists
	s.ID = svn.ID()              // only at the end: if this look fails, the next must notice the change, too
	return nil
}

// walkFrom stores the revisions after done, up to last or to a gap that may still
// be filled.
func (p *pass) walkFrom(ctx context.Context, svn vcs.SvnRepository, done, last int, r vcs.Range) error {
	if done >= last {
		p.state.Gap = nil
		if done == last {
			p.state.Positions[""] = r.New
		}
		return nil
	}
	gap := false
	accepted, err := p.accept(ctx, []vcs.Range{r}, func(c *commit.Commit) error {
		number := vcs.SvnNumber(c.Revision)
		isOld := c.Date.Before(r.After) // earlier gaps are never filled
		if number > done+1 && !isOld && !svn.Sparse() && !p.skipGap(done+1, number-1) {
			gap = true
			return errGap
		}
		done = number
		return nil
	})
	if err != nil {
		return err
	}
	if !gap && done < last && (svn.Sparse() || p.skipGap(done+1, last)) {
		done = last
	}
	p.state.Positions[""] = "r" + strconv.Itoa(done)
	p.noteByDate(p.why[""], accepted)
	if done == last || p.state.Gap != nil && p.state.Gap.Revision <= done {
		p.state.Gap = nil
	}
	return nil
}

// skipGap reports whether vext has waited long enough for the missing revisions from
// first to last.
func (p *pass) skipGap(first, last int) bool {
	s, now := p.state, p.Queue.Now
	if s.Gap == nil || s.Gap.Revision != first || now.Before(s.Gap.Since) {
		s.Gap = &Gap{Revision: first, Since: now}
		p.say("%s is missing; waiting for it for an hour", revisions(first, last))
	}
	if now.Sub(s.Gap.Since) < gapTimeout {
		return false
	}
	p.note("%s is still missing; skipped", revisions(first, last))
	s.Gap = nil
	return true
}

func revisions(first, last int) string {
	if first == last {
		return fmt.Sprintf("r%d", first)
	}
	return fmt.Sprintf("r%d to r%d", first, last)
}
