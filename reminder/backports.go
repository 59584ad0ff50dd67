package reminder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vext/internal/backport"
	"vext/internal/commit"
	"vext/queue"
)

// Backports finds out what has become of commits on the branches that they are to be
// merged to.
type Backports interface {
	// Look answers about commits, in their order, and looks at each repository once. It
	// finds the target branches of a commit itself, and what persons have said about it.
	// With apply, it also finds out whether what is not merged applies. The error is
	// about all commits; what concerns one is in Backport.Why. After the end of ctx, what
	// was not looked at has a Why, too.
	Look(ctx context.Context, commits []*commit.Commit, apply bool) ([]Backport, error)
}

// A Backport is what has become of one commit.
type Backport struct {
	backport.Report
	Source string // what was looked at, and how new it is: "/srv/src.git, fetched on Fri 4 Dec 00:12"
	Why    string // why nothing was looked at; else ""
	Waits  string // for what the reminder waits although its day has come: "a tag -rc4"; else ""
}

// How long a run may take to find out what has become of the commits that are due. What
// is not found out by then is said to be unknown: the reminder is sent all the same.
const (
	maxLook       = 2 * time.Minute
	maxLookLocked = 20 * time.Second // of those that became due while the run took the lock
)

// findOut asks what has become of the commits that are due, without the lock. It ignores
// errors of the queue, which the run meets again.
func (r *run) findOut(ctx context.Context) {
	r.found, r.read = map[queue.Entry]*Backport{}, map[queue.Entry]*queue.Message{}
	if r.Backports == nil {
		return
	}
	entries, _ := r.Queue.Entries(r.Queue.Today())
	for _, e := range entries {
		if m, err := r.Queue.Read(e); err == nil {
			r.read[e] = m
		}
	}
	r.look(ctx, entries, maxLook, true)
	r.follow(ctx)
}

// findOutRest asks about the items that were not in the queue when findOut was called.
func (r *run) findOutRest(ctx context.Context, items []*dueItem) {
	if r.Backports == nil {
		return
	}
	var rest []queue.Entry
	for _, item := range items {
		if item.found != nil || item.isDone() || item.isSnoozed() {
			continue
		}
		if m, err := r.message(item); err == nil { // prepare returns the error
			r.read[item.entry] = m
			rest = append(rest, item.entry)
		}
	}
	r.look(ctx, rest, maxLookLocked, true)
	for _, item := range items {
		item.found = r.found[item.entry]
	}
}

// look asks once about those of the entries that ask for a merge, for a limited time; with
// apply also whether they apply.
func (r *run) look(ctx context.Context, entries []queue.Entry, limit time.Duration, apply bool) {
	var commits []*commit.Commit
	var asked []queue.Entry
	for _, e := range entries {
		if m := r.read[e]; m != nil && m.Request.IsMerge() && m.Revision != "" {
			commits, asked = append(commits, &m.Commit), append(asked, e)
		}
	}
	if len(commits) == 0 {
		return
	}
	looking, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took longer than %s", limit))
	defer cancel()
	all, err := r.Backports.Look(looking, commits, apply)
	switch {
	case looking.Err() != nil && err != nil:
		err = context.Cause(looking)
	case err == nil && len(all) != len(commits):
		err = errors.New("an answer is missing")
	}
	if err != nil {
		r.Log.Warn("what has become of the commits that are due is not known", "err", err)
	}
	for i, e := range asked {
		if err != nil {
			r.found[e] = &Backport{Why: cleanCause(err)}
			continue
		}
		r.found[e] = &all[i]
	}
}

// waits returns for what the reminder of an item waits although its day has come; "" when
// it does not wait.
func (d *dueItem) waits() string {
	if d.found == nil {
		return ""
	}
	return d.found.Waits
}

// isComplete reports whether there is nothing left to do: on each target the commit is
// merged, not wanted, or would change nothing, and none of its fixes is left.
func (b *Backport) isComplete() bool {
	if b == nil || b.Why != "" || b.Reverted != nil || len(b.Targets) == 0 || len(b.Command) > 0 {
		return false
	}
	for i := range b.Targets {
		switch b.Targets[i].State {
		case backport.Merged, backport.NothingToDo, backport.NotWanted:
		default:
			return false
		}
	}
	return true
}
