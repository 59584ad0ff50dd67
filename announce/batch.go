package announce

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"vext/filter"
	"vext/internal/commit"
	"vext/internal/disk"
	"vext/notify"
	"vext/spool"
)

// largestFile bounds what is read of one hand-over. filter.Announce writes far
// less.
const largestFile = 64 << 20

// A batch is what several files have to tell.
type batch struct {
	lines   []notify.Line
	told    []identity
	counted []identity              // that no line describes; not in known
	known   commit.Index[*identity] // those of told
	reason  map[string]string       // of files that can't be understood
	read    []string                // files
	errs    []error                 // of files that can't be read or removed
}

// A group is commits of one push on one branch.
type group struct {
	repository, refname string
	commits             []commit.Arrival
	more                int       // that are not described
	since               time.Time // when they were handed over
}

// How many files, and commits, are told together.
const (
	mostFiles   = 50
	mostCommits = 5000
)

// gather reads files into a batch until that has enough, and returns how many.
func (t *Announcer) gather(b *batch, paths []string) (n int) {
	for n < min(len(paths), mostFiles) && len(b.told) < mostCommits && len(b.counted) == 0 {
		if err := t.read(b, paths[n]); err != nil {
			b.errs = append(b.errs, err)
		}
		n++
	}
	return n
}

// tell announces a batch, and removes its files. An error means that they are to
// be told again.
func (t *Announcer) tell(ctx context.Context, b *batch) error {
	if len(b.lines) > 0 {
		if err := t.Outlet.Put(ctx, b.lines...); err != nil {
			return err
		}
	}
	// Those first: while the others are not known, a crash has all of them told
	// again, under the same keys.
	for some := range slices.Chunk(b.counted, mostCommits) {
		if err := t.Seen.remember(t.Now(), some, nil); err != nil {
			return err
		}
	}
	if len(b.told) > 0 {
		keys := make([]string, len(b.lines))
		for i := range b.lines {
			keys[i] = b.lines[i].Key
		}
		if err := t.Seen.remember(t.Now(), b.told, keys); err != nil {
			return err
		}
	}
	for _, path := range b.read {
		if err := t.done(path, b.reason[path]); err != nil {
			b.errs = append(b.errs, err)
		}
	}
	return nil
}

// done removes a file that was told, or sets it aside.
func (t *Announcer) done(path, reason string) error {
	if reason == "" {
		return disk.Remove(path)
	}
	t.Log.Error("notices: set aside", "file", path, "why", reason)
	return t.Spool.QuarantineAnnouncement(path, reason)
}

// read adds to the batch what a file has to tell.
func (t *Announcer) read(b *batch, path string) error {
	f, err := disk.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, largestFile+1))
	if err != nil {
		return err
	}
	var arrivals []commit.Arrival
	if len(data) > largestFile {
		b.reason[path] = fmt.Sprintf("more than %d bytes", largestFile)
	} else if arrivals, err = filter.ParseArrivals(data); err != nil {
		b.reason[path] = err.Error()
	}
	groups, err := t.groups(b, arrivals)
	if err != nil {
		return err
	}
	since := spool.AnnouncementTime(path)
	if since.After(t.Now()) { // by a clock that was wrong
		since = time.Time{}
	}
	for i := range groups {
		groups[i].since = since
		t.add(b, &groups[i])
	}
	b.read = append(b.read, path)
	return nil
}

// groups returns the commits that were not announced before, by their branches.
func (t *Announcer) groups(b *batch, arrivals []commit.Arrival) (groups []group, err error) {
	at := map[identity]int{}
	isTold := Matcher(t.Policy, t.Rules)
	err = t.Seen.knows(func(was func(*identity) bool) {
		for i := range arrivals {
			c := &arrivals[i]
			c.Repository = t.Policy.Repository(c.Repository)
			id := identify(c)
			why := t.Policy.Distrusts(&c.Commit)
			switch {
			case why != "":
			case !isTold(c.Repository, c.Refname):
				why = "no notice is for its branch"
			case b.has(&id), was(&id):
				why = "it was announced before"
			}
			if why != "" {
				t.Log.Debug("notices: passed over", "commit", cmp.Or(c.Key(), c.ID), "branch", c.Branch(), "source", cmp.Or(c.Source, commit.FromMail), "why", why)
				continue
			}
			b.remember(&id)
			branch := identity{repository: c.Repository, branch: c.Refname}
			n, ok := at[branch]
			if !ok {
				n = len(groups)
				at[branch] = n
				groups = append(groups, group{repository: c.Repository, refname: c.Refname})
			}
			groups[n].commits = append(groups[n].commits, *c)
			groups[n].more += c.More
			b.count(c, was)
		}
	})
	return groups, err
}

// count remembers those of a push that stand before a commit and are not
// described, unless they were announced before.
func (b *batch) count(c *commit.Arrival, was func(*identity) bool) {
	id := identify(c)
	id.subject = undescribed
	for _, id.revision = range c.Counted {
		if !b.has(&id) && !was(&id) {
			b.counted = append(b.counted, id)
		}
	}
}

// has reports whether the batch tells of a commit already.
func (b *batch) has(id *identity) (found bool) {
	b.known.Find(id.commit(), func(other *identity) bool {
		found = other.closes(id)
		return !found
	})
	return found
}

func (b *batch) remember(id *identity) {
	b.told = append(b.told, *id)
	b.known.Add(id.commit(), id)
}

// add adds the lines that tell of a group. A target that two rules name is told
// by the first.
func (t *Announcer) add(b *batch, g *group) {
	told := map[string]bool{}
	count := 0
	for i := range t.Rules {
		r := &t.Rules[i]
		if !r.matches(t.Policy, g.repository, g.refname) {
			continue
		}
		lines := t.lines(r, g)
		for _, to := range r.To {
			same := sameTarget(to)
			if told[same] {
				continue
			}
			told[same] = true
			count++
			for _, line := range lines {
				line.Target, line.Key = to, lineKey(same, line.Key)
				b.lines = append(b.lines, line)
			}
		}
	}
	t.Log.Info("announced", "repository", g.repository, "branch", commit.BranchName(g.refname), "commits", len(g.commits)+g.more, "targets", count)
}

// shown is how many commits of many are told behind their number.
const shown = 3

// lines returns what a rule says of a group: a line for each commit, or one for
// all with the first of them behind it. Their keys are made of the commits.
func (t *Announcer) lines(r *Rule, g *group) []notify.Line {
	count := len(g.commits) + g.more
	if count > r.Max {
		said := []string{t.Words.push(r, g.commits, count)}
		for i := range g.commits[:min(len(g.commits), shown, r.Max)] {
			said = append(said, t.Words.commit(r, &g.commits[i]))
		}
		return []notify.Line{{Text: strings.Join(said, "\n"), Project: g.repository, Commits: count, Key: keyOf(g.commits), Since: g.since}}
	}
	lines := make([]notify.Line, len(g.commits))
	for i := range g.commits {
		lines[i] = notify.Line{Text: t.Words.commit(r, &g.commits[i]), Project: g.repository, Commits: 1, Key: keyOf(g.commits[i : i+1]), Since: g.since}
	}
	return lines
}

// keyOf identifies commits on their branch. What anybody can have written has no
// key of what nobody can.
func keyOf(commits []commit.Arrival) string {
	sum := sha256.New()
	for i := range commits {
		id := identify(&commits[i])
		sum.Write(append(id.key(), 0))
		if id.forgeable {
			sum.Write([]byte{1})
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// lineKey identifies the line that tells a target of commits, the same when it
// is made again after a crash.
func lineKey(target, commits string) string {
	sum := sha256.Sum256([]byte(target + "\x00" + commits))
	return "notice " + hex.EncodeToString(sum[:])
}
