package backport

import (
	"context"
	"slices"

	"vext/internal/commit"
)

// maxSide bounds the commits of a branch whose changes are compared, the newest first: a
// change costs git one to two milliseconds.
const maxSide = 5000

// patches is the second opinion: what the lines of messages do not say is found by comparing
// changes, and then by author, date and subject. It keeps what git has computed.
type patches struct {
	g     *gitLooker
	known map[string]string // git-patch-id(1), by hash; "" for none
}

func newPatches(g *gitLooker) *patches { return &patches{g: g, known: map[string]string{}} }

// find sets the state of the targets on which a commit is merged without a line that says so.
// Where the changes can't be read, nothing is set.
func (p *patches) find(ctx context.Context, asked []*lookedAt) error {
	byTarget := map[string][]openTarget{}
	for _, a := range asked {
		if a.commit < 0 {
			continue
		}
		for i, name := range a.question.Targets {
			open := func(t *Target, at int32) {
				if t.State == Unknown && t.Why == "" {
					byTarget[name] = append(byTarget[name], openTarget{t, at})
				}
			}
			open(&a.report.Targets[i], a.commit)
			for j, f := range a.fixes {
				open(&a.report.Fixes[j].Targets[i], f.fix)
			}
		}
	}
	for name, open := range byTarget {
		if err := p.compare(ctx, p.g.target(name), open); err != nil {
			return err
		}
	}
	return nil
}

// An openTarget is a target for which the lines say nothing, and its commit.
type openTarget struct {
	target *Target
	commit int32
}

// compare compares commits with those of a branch that say nothing about their origin.
func (p *patches) compare(ctx context.Context, b *branch, open []openTarget) error {
	oldest := p.g.index.commits[open[0].commit].time
	hashes := map[string]bool{}
	for _, o := range open {
		c := &p.g.index.commits[o.commit]
		oldest = min(oldest, c.time)
		if !c.isMerge {
			hashes[c.hash] = true
		}
	}
	var side []int32
	for at := int32(len(p.g.index.commits)) - 1; at >= 0 && len(side) < maxSide; at-- {
		c := &p.g.index.commits[at]
		_, gone := b.gone[at]
		if b.side.has(at) && !gone && !c.isMerge && c.time >= oldest && len(p.g.index.origins(at)) == 0 {
			side = append(side, at)
			hashes[c.hash] = true
		}
	}
	if len(side) == 0 {
		return nil
	}
	if err := p.read(ctx, hashes); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return nil // the changes of a copy without blobs can't be read without its server
	}
	byPatch := map[string][]int32{}
	for _, at := range side {
		if id := p.known[p.g.index.commits[at].hash]; id != "" {
			byPatch[id] = append(byPatch[id], at)
		}
	}
	for _, o := range open {
		if err := p.decide(ctx, o, side, byPatch); err != nil {
			return err
		}
	}
	return nil
}

// decide sets the state of one target. A change alone can come twice, as an empty line
// does, so another author and subject make it only probable.
func (p *patches) decide(ctx context.Context, o openTarget, side []int32, byPatch map[string][]int32) error {
	x := p.g.index
	c := &x.commits[o.commit]
	for _, at := range byPatch[p.known[c.hash]] {
		o.target.By = x.commits[at].hash
		if x.commits[at].same == c.same {
			o.target.State = Merged
			return nil
		}
		both, err := p.g.git.Commits(ctx, []string{c.hash, x.commits[at].hash})
		if err != nil {
			return err
		}
		o.target.State = ProbablyMerged
		if a, b := both[c.hash], both[x.commits[at].hash]; a != nil && b != nil && (a.Subject == b.Subject || a.Author == b.Author && a.AuthorDate.Equal(b.AuthorDate)) {
			o.target.State = Merged
			return nil
		}
	}
	if slices.ContainsFunc(x.bySame[c.same], func(at int32) bool { return at != o.commit && p.g.development.has.has(at) }) {
		return nil // a series by a program: which of them it was is not known
	}
	for _, at := range x.bySame[c.same] {
		if at == o.commit || o.target.State != Unknown || !slices.Contains(side, at) {
			continue
		}
		files, err := p.g.git.Files(ctx, []string{c.hash, x.commits[at].hash})
		if err != nil {
			return err
		}
		if isSimilar(files[c.hash], files[x.commits[at].hash]) {
			o.target.State, o.target.By = ProbablyMerged, x.commits[at].hash
		}
	}
	return nil
}

// isSimilar reports whether half of the files of two changes are the same.
func isSimilar(a, b commit.Files) bool {
	same := 0
	for _, path := range a.Paths {
		if slices.Contains(b.Paths, path) {
			same++
		}
	}
	return same > 0 && 2*same >= max(len(a.Paths), len(b.Paths))
}

// read reads the patch IDs of commits that are not known yet.
func (p *patches) read(ctx context.Context, hashes map[string]bool) error {
	var missing []string
	for hash := range hashes {
		if _, known := p.known[hash]; !known {
			missing = append(missing, hash)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	found, err := p.g.git.Patches(ctx, missing)
	if err != nil {
		return err
	}
	for _, hash := range missing {
		p.known[hash] = found[hash]
	}
	return nil
}
