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

// maxFile bounds what is read of one file, in bytes. filter.Filter.Accept writes far less.
const maxFile = 64 << 20

// A batch is what several files announce together.
type batch struct {
	messages  []notify.Message
	described []identity
	counted   []identity              // commits that no message describes; not in known
	known     commit.Index[*identity] // of described
	files     []file
	errs      []error // of files that can't be read or removed
}

// A file was read, and is quarantined unless the reason is empty.
type file struct{ path, reason string }

// A group is the commits of one push on one branch.
type group struct {
	repository, refname string
	commits             []commit.Arrival
	more                int       // how many have no details
	since               time.Time // when they were stored
}

const (
	maxFiles   = 50
	maxCommits = 5000
)

// fill reads files into a batch until that is full, and returns their number.
func (a *Announcer) fill(b *batch, paths []string) (n int) {
	for n < min(len(paths), maxFiles) && len(b.described) < maxCommits && len(b.counted) == 0 {
		if err := a.read(b, paths[n]); err != nil {
			b.errs = append(b.errs, err)
		}
		n++
	}
	return n
}

// announce puts the messages of a batch into the outbox, records its commits, and
// removes its files. After an error, the files are to be announced again.
func (a *Announcer) announce(ctx context.Context, b *batch) error {
	if len(b.messages) > 0 {
		if err := a.Outbox.Put(ctx, b.messages...); err != nil {
			return err
		}
	}
	// The counted commits come first. After a crash before the described commits are
	// recorded, the same messages are made again, with the same keys.
	for some := range slices.Chunk(b.counted, maxCommits) {
		if err := a.Seen.record(a.Now(), some, nil); err != nil {
			return err
		}
	}
	if len(b.described) > 0 {
		keys := make([]string, len(b.messages))
		for i := range b.messages {
			keys[i] = b.messages[i].Key
		}
		if err := a.Seen.record(a.Now(), b.described, keys); err != nil {
			return err
		}
	}
	for _, f := range b.files {
		if err := a.done(f); err != nil {
			b.errs = append(b.errs, err)
		}
	}
	return nil
}

// done removes a file that was announced, or quarantines it.
func (a *Announcer) done(f file) error {
	if f.reason == "" {
		return disk.Remove(f.path)
	}
	a.Log.Error("announcements: quarantined", "file", f.path, "why", f.reason)
	return a.Spool.QuarantineAnnouncement(f.path, f.reason)
}

func (a *Announcer) read(b *batch, path string) error {
	f, err := disk.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, disk.ErrNotRegular) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return err
	}
	var arrivals []commit.Arrival
	reason := ""
	if len(data) > maxFile {
		reason = fmt.Sprintf("more than %d bytes", maxFile)
	} else if arrivals, err = filter.ParseArrivals(data); err != nil {
		reason = err.Error()
	}
	groups, err := a.groups(b, arrivals)
	if err != nil {
		return err
	}
	since := spool.AnnouncementTime(path)
	if since.After(a.Now()) { // the clock was ahead
		since = time.Time{}
	}
	for i := range groups {
		groups[i].since = since
		a.add(b, &groups[i])
	}
	b.files = append(b.files, file{path, reason})
	return nil
}

// groups returns the commits that were not announced before, by branch.
func (a *Announcer) groups(b *batch, arrivals []commit.Arrival) (groups []group, err error) {
	at := map[identity]int{}
	isAnnounced := Matcher(a.Policy, a.Rules)
	err = a.Seen.view(func(wasSeen func(*identity) bool) {
		for i := range arrivals {
			c := &arrivals[i]
			c.Repository = a.Policy.Repository(c.Repository)
			id := identify(c)
			why := a.Policy.Distrusts(&c.Commit)
			switch {
			case why != "":
			case !isAnnounced(c.Repository, c.Refname):
				why = "no [[announce]] matches its branch"
			case b.has(&id), wasSeen(&id):
				why = "announced before"
			}
			if why != "" {
				a.Log.Debug("announcements: ignored", "commit", cmp.Or(c.Key(), c.ID), "branch", c.Branch(), "source", cmp.Or(c.Source, commit.FromMail), "why", why)
				continue
			}
			b.add(&id)
			branch := identity{repository: c.Repository, branch: c.Refname}
			n, ok := at[branch]
			if !ok {
				n = len(groups)
				at[branch] = n
				groups = append(groups, group{repository: c.Repository, refname: c.Refname})
			}
			groups[n].commits = append(groups[n].commits, *c)
			groups[n].more += c.More
			b.count(c, wasSeen)
		}
	})
	return groups, err
}

// count adds the commits that precede c in its push and have no details, unless they
// were announced before.
func (b *batch) count(c *commit.Arrival, wasSeen func(*identity) bool) {
	id := identify(c)
	id.subject = undescribed
	for _, id.revision = range c.Counted {
		if !b.has(&id) && !wasSeen(&id) {
			b.counted = append(b.counted, id)
		}
	}
}

// has reports whether the batch announces a commit already.
func (b *batch) has(id *identity) (found bool) {
	b.known.Find(id.commit(), func(other *identity) bool {
		found = other.supersedes(id)
		return !found
	})
	return found
}

func (b *batch) add(id *identity) {
	b.described = append(b.described, *id)
	b.known.Add(id.commit(), id)
}

// add adds the messages about a group to the batch. For a target that two rules name,
// the first rule applies.
func (a *Announcer) add(b *batch, g *group) {
	done := map[string]bool{} // targets
	for i := range a.Rules {
		r := &a.Rules[i]
		if !r.matches(a.Policy, g.repository, g.refname) {
			continue
		}
		messages := a.messages(r, g)
		for _, to := range r.To {
			same := sameTarget(to)
			if done[same] {
				continue
			}
			done[same] = true
			for _, m := range messages {
				m.Target, m.Key = to, messageKey(same, m.Key)
				b.messages = append(b.messages, m)
			}
		}
	}
	a.Log.Info("announced", "repository", g.repository, "branch", commit.BranchName(g.refname), "commits", len(g.commits)+g.more, "targets", len(done))
}

// maxShown bounds how many commits of a large push are described after their number.
const maxShown = 3

// messages returns the messages of a rule about a group: one for each commit, or one for
// all that describes the first of them. Their keys identify the commits.
func (a *Announcer) messages(r *Rule, g *group) []notify.Message {
	count := len(g.commits) + g.more
	if count > r.Max {
		texts := []string{a.Words.push(r, g.commits, count)}
		for i := range g.commits[:min(len(g.commits), maxShown, r.Max)] {
			texts = append(texts, a.Words.commit(r, &g.commits[i]))
		}
		return []notify.Message{{Text: strings.Join(texts, "\n"), Project: g.repository, Commits: count, Key: keyOf(g.commits), Since: g.since}}
	}
	messages := make([]notify.Message, len(g.commits))
	for i := range g.commits {
		messages[i] = notify.Message{Text: a.Words.commit(r, &g.commits[i]), Project: g.repository, Commits: 1, Key: keyOf(g.commits[i : i+1]), Since: g.since}
	}
	return messages
}

// keyOf identifies commits on their branch. The key of a forgeable commit differs
// from that of a trusted one.
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

// messageKey identifies the message to a target about commits. It is the same when the
// message is made again after a crash, also by another version.
func messageKey(target, commits string) string {
	sum := sha256.Sum256([]byte(target + "\x00" + commits))
	return "notice " + hex.EncodeToString(sum[:])
}
