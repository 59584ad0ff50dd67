package follow

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"vext/internal/commit"
	"vext/internal/vcs"
)

// gapWait is how long a revision that is missing is waited for. Revisions come
// in order, but a mirror, or a log that is cut off, can lack one for a while.
const gapWait = time.Hour

// errGap ends a walk at a revision that is missing.
var errGap = errors.New("a revision is missing")

// walkRevisions is ranges and walk for Subversion, whose history is a row of
// numbers.
func (p *pass) walkRevisions(ctx context.Context, tip string) error {
	s := p.state
	last := vcs.SvnNumber(tip)
	position, begun := s.Positions[""]
	if position != tip {
		if err := p.warnOfBranches(ctx); err != nil {
			return err
		}
	}
	if named, ok := p.repo.(vcs.Named); ok {
		was := s.ID
		if s.ID = named.ID(); begun && was != "" && was != s.ID {
			p.note("another repository is at %s now; followed from r%d on", s.Where, last)
			s.Positions[""], s.Gap = tip, nil
			return nil
		}
	}
	if !begun {
		s.Begun, s.Start = true, p.Queue.Now
		if p.repository.From == "" {
			s.Positions[""] = tip
			return nil
		}
		first, err := p.firstRange(ctx, "", tip)
		if err != nil {
			return err
		}
		return p.walkFrom(ctx, vcs.SvnNumber(strings.Join(first.Since, "")), last, first)
	}
	done := vcs.SvnNumber(position)
	if done > last {
		p.note("the newest revision was r%d and is r%d: was the repository restored? What comes under a number that was used before is taken for known", done, last)
		s.Positions[""] = tip
		return nil
	}
	return p.walkFrom(ctx, done, last, vcs.Range{New: tip, Since: []string{position}})
}

// warnOfBranches looks whether there are branches that count, whenever
// something has changed.
func (p *pass) warnOfBranches(ctx context.Context) error {
	brancher, ok := p.repo.(vcs.Brancher)
	if !ok {
		return nil
	}
	names, err := brancher.Branches(ctx)
	if err == nil {
		p.warn(names)
	}
	return err
}

// walkFrom spools the revisions behind done, up to last or to a gap that may
// still fill.
func (p *pass) walkFrom(ctx context.Context, done, last int, r vcs.Range) error {
	if done >= last {
		p.state.Gap = nil
		return nil
	}
	n, err := p.repo.Walk(ctx, p.log([]vcs.Range{r}), func(c *commit.Commit) error {
		number := vcs.SvnNumber(c.Revision)
		if number > done+1 && !p.isSparse() && !p.passOver(done+1, number-1) {
			return errGap
		}
		done = number
		return p.take(c)
	})
	p.report.Commits += n
	if n > 0 {
		p.Filter.Spool.Seen(p.Filter.Way)
		p.state.arrived(p.Queue.Now)
	}
	if err != nil && !errors.Is(err, errGap) {
		return err
	}
	if err == nil && done < last && (p.isSparse() || p.passOver(done+1, last)) {
		done = last
	}
	if err := p.flush(); err != nil {
		return err
	}
	if err := p.announce(ctx); err != nil {
		return err
	}
	p.state.Positions[""] = "r" + strconv.Itoa(done)
	if done == last || p.state.Gap != nil && p.state.Gap.Revision <= done {
		p.state.Gap = nil
	}
	return nil
}

// isSparse reports whether revisions are missing because they can't be read.
func (p *pass) isSparse() bool {
	named, ok := p.repo.(vcs.Named)
	return ok && named.Sparse()
}

// passOver reports whether the revisions from first to last, which are missing,
// were waited for long enough.
func (p *pass) passOver(first, last int) bool {
	s, now := p.state, p.Queue.Now
	if s.Gap == nil || s.Gap.Revision != first || now.Before(s.Gap.Since) {
		s.Gap = &Gap{Revision: first, Since: now}
		p.say("%s is missing; it is waited for, for an hour", revisions(first, last))
	}
	if now.Sub(s.Gap.Since) < gapWait {
		return false
	}
	p.note("%s never came; passed over", revisions(first, last))
	s.Gap = nil
	return true
}

func revisions(first, last int) string {
	if first == last {
		return fmt.Sprintf("r%d", first)
	}
	return fmt.Sprintf("r%d to r%d", first, last)
}

// mostShown bounds the names in a warning.
const mostShown = 5

// few writes some of the names of branches.
func few(refnames []string) string {
	var shown []string
	for _, name := range refnames[:min(len(refnames), mostShown)] {
		shown = append(shown, commit.BranchName(name))
	}
	if more := len(refnames) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("%d more", more))
	}
	return strings.Join(shown, ", ")
}
