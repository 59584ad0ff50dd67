package queue

import (
	"slices"

	"vext/internal/commit"
	"vext/internal/history"
)

// Mark records what a user has said of a commit, or, with undo, takes it back. e has the
// commit, and Mark, Target and Other; see history.Marks. The error is ErrUnchanged when the
// same was said before, or when there is nothing to take back.
func (q *Queue) Mark(e *history.Event, undo bool, by string) error {
	marks, err := q.History.Marks()
	if err != nil {
		return err
	}
	key := q.History.CanonicalKey(e.Key)
	isMarked := slices.ContainsFunc(marks, func(m history.Event) bool {
		return m.Mark == e.Mark && m.Other == e.Other && commit.SameCommit(m.Key, key) && (m.Target == e.Target || undo && e.Target == "")
	})
	if isMarked != undo {
		return ErrUnchanged
	}
	kind := history.Marked
	if undo {
		kind = history.Unmarked
	}
	m := history.Event{
		Time: history.Stamp(q.Now), Kind: kind, Name: e.Name, Address: e.Address, Committer: e.Committer, Repository: e.Repository,
		Branch: e.Branch, Revision: e.Revision, Key: e.Key, Subject: e.Subject, By: by, Source: e.Source,
		Mark: e.Mark, Target: e.Target, Other: e.Other,
	}
	if err := q.prepare(); err != nil {
		return err
	}
	return q.History.Append(m)
}
