package queue

import (
	"errors"
	"io/fs"

	"vext/internal/calendar"
	"vext/internal/history"
)

// Urgent reports whether the spool has a message that needs a run today: one that is
// due, or one whose period is not understood. It reads the messages that are not in
// before, returns the names of all, and changes nothing.
func (q *Queue) Urgent(before map[string]bool) (urgent bool, names map[string]bool, err error) {
	files, err := q.Spool.Requests()
	names = map[string]bool{}
	var fresh []fs.DirEntry
	for _, f := range files {
		if names[f.Name()] = true; !before[f.Name()] {
			fresh = append(fresh, f)
		}
	}
	if len(fresh) == 0 {
		return false, names, err
	}
	all, readErr := q.readAll(fresh, nil)
	var plan []Decision
	for i := range all {
		if all[i].IsUrgent(q.Today()) {
			plan = append(plan, all[i])
		}
	}
	err = errors.Join(err, readErr, q.compare(&plan))
	for i := range plan {
		urgent = urgent || plan[i].IsUrgent(q.Today())
		if plan[i].Event.Kind == Held {
			delete(names, plan[i].Name) // read it again later
		}
	}
	return urgent, names, err
}

// IsUrgent reports whether a run on the day today does something about the message.
func (d *Decision) IsUrgent(today calendar.Day) bool {
	switch d.Event.Kind {
	case history.Queued:
		return !today.Before(d.Day)
	case history.Failed:
		return d.Event.Cause == history.CausePeriod
	}
	return false
}
