package queue

import (
	"cmp"
	"errors"
	"io/fs"
	"path/filepath"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/disk"
	"vext/internal/history"
)

// A request that was made after its commit (see commit.Asked) stands above the commit's own
// trailer, and above earlier requests: a person has asked, knowing the commit. So a pending
// reminder of the commit is replaced, with its day and its snooze, and one that was sent or
// cancelled does not count. The branches of the replaced request are kept, beside the new
// ones. The same request, read a second time, is a duplicate.

// isAsked reports whether a decision is about such a request.
func (d *Decision) isAsked() bool { return !d.asked.IsZero() }

// decideAsked decides about a request that was made after its commit. planned is what the
// plan has queued for the commit, nil for nothing.
func (q *Queue) decideAsked(d, planned *Decision, known *history.Index, waiting map[string]calendar.Day) {
	byName, byKey := known.Name(d.Name), known.Commit(d.Event.Key)
	day, isWaiting := waiting[d.Name]
	switch {
	case isWaiting:
		d.duplicate("it is in the queue for " + day.Long())
	case byName.Done:
		d.duplicate("this request was known before, and is done or replaced")
	case byKey.Trusted.Moved:
		d.duplicate("the commit was amended or rebased to " + commit.ShortRevision(byKey.Trusted.Ended.Successor))
	default:
		if planned != nil {
			q.replacePlanned(d, planned)
		}
		for _, s := range []*history.State{&byKey.All, &byKey.Trusted} {
			if d.replaces == nil && s.Queued != nil && isIn(waiting, s.Queued.Name) {
				d.replaces = &Entry{Name: s.Queued.Name, Day: waiting[s.Queued.Name]}
				d.takeBranches(q, q.entry(d.replaces.Day, d.replaces.Name))
			}
		}
	}
}

// replacePlanned makes a planned decision about the same commit a duplicate.
func (q *Queue) replacePlanned(d, planned *Decision) {
	d.replaces, planned.replaces = planned.replaces, nil
	d.takeBranches(q, Entry{Name: cmp.Or(planned.file, planned.Name), dir: q.Spool.Dir()})
	d.add(planned.asked.To)
	planned.duplicate("asked again, by " + d.Event.By + ", as " + d.Name)
}

// takeBranches adds the branches of an earlier request. One that can't be read has none.
func (d *Decision) takeBranches(q *Queue, e Entry) {
	if m, err := q.Read(e); err == nil {
		d.add(m.Asked.To)
	}
}

// add adds branches of an earlier request.
func (d *Decision) add(branches []string) {
	before := len(d.asked.To)
	d.asked.Add(branches...)
	d.added = d.added || len(d.asked.To) > before
}

// Replaces returns the day of the pending reminder that a decision replaces, nil for none.
func (d *Decision) Replaces() *calendar.Day {
	if d.replaces == nil {
		return nil
	}
	return &d.replaces.Day
}

// replacedReason says why a message in the queue is replaced by that of a decision.
func (d *Decision) replacedReason() string {
	if d.isAsked() {
		return "asked again, by " + d.Event.By + ", as " + d.Name
	}
	return "anybody can have forged it; " + d.Event.Source + " says otherwise, as " + d.Name
}

// moveAsked moves the message of a request into the queue, with the branches of the request
// that it replaces. After a crash in between, the message in the spool is a duplicate.
func (q *Queue) moveAsked(d *Decision, path string, to Entry) error {
	if !d.added {
		return disk.Rename(path, to.path())
	}
	data, err := disk.ReadRegular(path)
	if err != nil {
		return err
	}
	err = disk.WriteNew(filepath.Join(q.State, "tmp"), to.path(), d.asked.StampTo(data))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return disk.Remove(path)
}
