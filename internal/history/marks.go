package history

import (
	"slices"

	"vext/internal/commit"
)

// What a person can say of a commit, Event.Mark.
const (
	MarkDone      = "done"         // it is merged to Target
	MarkNotWanted = "not-wanted"   // it is not to be merged to Target
	MarkNotAFix   = "not-a-fix-of" // Other is no fix of it
)

// Marks returns the marks that persons have set and not taken back, in their order. Taking
// back a mark without a target takes back those of the same kind on every target.
func (h History) Marks() ([]Event, error) {
	var marks []Event
	_, err := h.Scan(func(e *Event) {
		key := h.CanonicalKey(e.Key)
		marks = slices.DeleteFunc(marks, func(m Event) bool {
			return m.Mark == e.Mark && commit.SameCommit(m.Key, key) && m.Other == e.Other &&
				(m.Target == e.Target || e.Target == "" && e.Kind == Unmarked)
		})
		if e.Kind == Marked && key != "" {
			m := *e
			m.Key = key
			marks = append(marks, m)
		}
	}, Marked, Unmarked)
	return marks, err
}

// MarkWords describes a mark: "done on stable/15".
func (e *Event) MarkWords() string {
	words := e.Mark
	switch e.Mark {
	case MarkNotWanted:
		words = "not wanted"
	case MarkNotAFix:
		words = "as not fixed by " + commit.ShortRevision(e.Other)
	}
	if e.Target != "" {
		words += " on " + e.Target
	}
	return words
}
