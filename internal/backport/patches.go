package backport

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"vext/internal/commit"
	"vext/internal/disk"
)

// maxSide bounds the commits of a branch whose changes are compared, the newest first: a
// change costs git one to two milliseconds.
const maxSide = 5000

// patches is the second opinion: what the lines of messages do not say is found by comparing
// changes, and then by author, date and subject. It keeps what git has computed, also on disk.
type patches struct {
	g     *looker
	known map[string]string // git-patch-id(1), by hash; "" for none
}

// patchesFormat is the first line of the file. Each other line has a hash, a space, and the
// patch ID or nothing.
const patchesFormat = "vext-patches-1"

func (o *Options) patchesPath() string {
	if o.Cache == "" {
		return ""
	}
	return o.Cache + ".patches"
}

// loadPatches reads the file. A damaged line ends it, and what is behind is computed again.
func loadPatches(g *looker) *patches {
	p := &patches{g: g, known: map[string]string{}}
	readCache(g.o.patchesPath(), patchesFormat, func(line string) bool {
		hash, id, ok := strings.Cut(line, " ")
		ok = ok && commit.IsHash(hash) && (id == "" || commit.IsHash(id))
		if _, isThere := g.index.places[hash]; ok && isThere {
			p.known[hash] = id
		}
		return ok
	})
	return p
}

// save replaces the file. It has no error, because what is lost is computed again.
func (p *patches) save() {
	file := p.g.o.patchesPath()
	if file == "" {
		return
	}
	var b bytes.Buffer
	b.WriteString(patchesFormat + "\n")
	for hash, id := range p.known {
		fmt.Fprintf(&b, "%s %s\n", hash, id)
	}
	_ = disk.ReplaceUnsynced(filepath.Dir(file), file, b.Bytes())
}

// find sets the state of the targets on which a commit is merged without a line that says so.
// Where the changes can't be read, only authors, dates and subjects are compared.
func (p *patches) find(ctx context.Context, asked []*lookedAt) error {
	byTarget := map[string][]openTarget{}
	for _, a := range asked {
		if a.commit < 0 {
			continue
		}
		for i, name := range a.question.Targets {
			open := func(t *Target, at int32) {
				isSaid := t.State == Merged && t.By == "" && p.g.target(name) != nil
				if t.State == Unknown && t.Why == "" || isSaid {
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
		err := p.compare(ctx, p.g.target(name), open)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if err != nil {
			noTime(open)
		}
	}
	return canceled(ctx)
}

// noTime says of targets that the time has ended before they were looked at.
func noTime(open []openTarget) {
	for _, o := range open {
		if o.target.State == Unknown {
			o.target.Why = "not looked at: there was no time left"
		}
	}
}

// An openTarget is a target for which the lines say nothing, and its commit.
type openTarget struct {
	target *Target
	commit int32
}

// clockSkew is how much earlier than the commit itself its pick may seem to be made, because
// of the clocks of two machines, in seconds.
const clockSkew = 24 * 3600

// compare compares commits with those of a branch that say nothing about their origin.
func (p *patches) compare(ctx context.Context, b *branch, open []openTarget) error {
	oldest := p.g.index.commits[open[0].commit].time - clockSkew
	hashes := map[string]bool{}
	for _, o := range open {
		c := &p.g.index.commits[o.commit]
		oldest = min(oldest, c.time-clockSkew)
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
	if err := p.read(ctx, hashes); err != nil && ctx.Err() != nil {
		return err // any other: the changes of a copy without blobs can't be read without its server
	}
	byPatch, bySame := map[string][]int32{}, p.g.index.bySame(open)
	for _, at := range side {
		if id := p.known[p.g.index.commits[at].hash]; id != "" {
			byPatch[id] = append(byPatch[id], at)
		}
	}
	pairs := make([]pair, len(open))
	for i, o := range open {
		pairs[i] = p.pair(b, o, side, byPatch, bySame)
	}
	return p.decide(ctx, pairs)
}

// A pair is an open target and the commits that may have merged its commit.
type pair struct {
	openTarget
	byChange  []int32 // that make the same change
	bySubject []int32 // that have the same author, author's date and subject
}

// pair finds the candidates for an open target.
func (p *patches) pair(b *branch, o openTarget, side []int32, byPatch map[string][]int32, bySame map[uint64][]int32) pair {
	c := &p.g.index.commits[o.commit]
	after := int32(-1) // what is older was taken back
	if by, gone := b.gone[o.commit]; gone {
		after = by
	}
	isCandidate := func(at int32) bool { return at > after && at != o.commit && slices.Contains(side, at) }
	one := pair{openTarget: o, byChange: filter(byPatch[p.known[c.hash]], isCandidate)}
	isSeries := slices.ContainsFunc(bySame[c.same], func(at int32) bool { return at != o.commit && p.g.development.has.has(at) })
	if !isSeries { // of a series by a program it is not known which of them it was
		one.bySubject = filter(bySame[c.same], isCandidate)
	}
	return one
}

// bySame returns the commits that have the author, the author's date and the subject of one
// that is open, by the digest of these.
func (x *index) bySame(open []openTarget) map[uint64][]int32 {
	all := make(map[uint64][]int32, len(open))
	for _, o := range open {
		all[x.commits[o.commit].same] = nil
	}
	for at := range x.commits {
		if list, wanted := all[x.commits[at].same]; wanted {
			all[x.commits[at].same] = append(list, int32(at))
		}
	}
	return all
}

func filter(list []int32, fn func(int32) bool) (chosen []int32) {
	for _, at := range list {
		if fn(at) {
			chosen = append(chosen, at)
		}
	}
	return chosen
}

// found sets the state of a target, unless that is known better. What a person has said to be
// done stays merged, and gets the commit.
func (o *openTarget) found(state State, by string) {
	t := o.target
	switch {
	case t.By == "":
		t.By, t.Why = by, ""
		if t.State != Merged {
			t.State = state
		}
	case t.State == ProbablyMerged && state == Merged:
		t.By, t.State = by, state
	}
}

// decide sets the states of targets.
func (p *patches) decide(ctx context.Context, pairs []pair) error {
	x := p.g.index
	var commits, files []string // of which more must be known
	for i := range pairs {
		one := &pairs[i]
		hash := x.commits[one.commit].hash
		for _, at := range one.byChange {
			commits = append(commits, hash, x.commits[at].hash)
		}
		for _, at := range one.bySubject {
			files = append(files, hash, x.commits[at].hash)
		}
	}
	described, err := p.g.history.Commits(ctx, distinct(commits))
	if err != nil {
		return err
	}
	changed := map[string]commit.Files{}
	if len(files) > 0 {
		if changed, err = p.g.history.Files(ctx, distinct(files)); err != nil {
			return err
		}
	}
	for i := range pairs {
		one := &pairs[i]
		hash := x.commits[one.commit].hash
		for _, at := range one.byChange {
			other := x.commits[at].hash
			state := ProbablyMerged // a change alone can come twice, as an empty line does
			if isSame(described[hash], described[other]) {
				state = Merged
			}
			one.found(state, other)
		}
		for _, at := range one.bySubject {
			if other := x.commits[at].hash; isSimilar(changed[hash], changed[other]) {
				one.found(ProbablyMerged, other)
			}
		}
	}
	return nil
}

// isSame reports whether two commits with the same change are one: they have the same subject,
// or the same author and author's date.
func isSame(a, b *commit.Commit) bool {
	if a == nil || b == nil {
		return false
	}
	return a.Subject != "" && a.Subject == b.Subject || a.Author == b.Author && a.AuthorDate.Equal(b.AuthorDate)
}

// isSimilar reports whether half of the files of two changes are the same, or have the same
// names in other directories, because they were moved.
func isSimilar(a, b commit.Files) bool {
	names := map[string]bool{}
	for _, file := range b.Paths {
		names[path.Base(file)] = true
	}
	same := 0
	for _, file := range a.Paths {
		if names[path.Base(file)] {
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
	found, err := p.g.history.Patches(ctx, missing)
	if err != nil {
		return err
	}
	for _, hash := range missing {
		p.known[hash] = found[hash]
	}
	p.save()
	return nil
}
