package queue

import (
	"errors"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
	"vext/spool"
)

// PlanPast decides about commits of the past as Plan would if they were in the spool.
// The decision about one that was due before today is history.Passed.
func (q *Queue) PlanPast(commits []commit.Commit) ([]Decision, error) {
	plan := make([]Decision, 0, len(commits))
	for i := range commits {
		c := &commits[i]
		request, asks, err := q.Policy.Request(c)
		if err != nil {
			return nil, err
		}
		if !asks {
			continue
		}
		m := &Message{Commit: *c, Request: request, Received: q.Now}
		m.Repository = q.Policy.Repository(m.Repository)
		d := Decision{Name: spool.Name(c.MadeID()), Commit: c}
		d.Event = history.Event{Time: history.Stamp(q.Now), Name: d.Name, Kind: history.Failed}
		q.judge(&d, m)
		if q.isPast(&d) { // whoever the recipient would have been
			d.Event.Kind, d.Event.Due, d.Event.Reason = history.Queued, d.Day.String(), ""
		}
		plan = append(plan, d)
	}
	isUndecided, err := q.undecided()
	if err != nil {
		return nil, err
	}
	failed, err := q.lookupKind(plan, history.Failed)
	if err != nil {
		return nil, err
	}
	err = q.compare(&plan)
	for i := range plan {
		d := &plan[i]
		switch {
		case isUndecided(d):
			d.duplicate("it is in the spool, or quarantined")
		case d.Event.Kind == history.Failed && (failed.Name(d.Name).IsKnown() || failed.Key(d.Event.Key).IsKnown()):
			d.duplicate("a person has decided about it")
		case d.Event.Kind == history.Queued && q.isPast(d):
			d.Event.Kind = history.Missed
		}
	}
	return plan, err
}

// lookupKind looks up the commits of the decisions of one kind.
func (q *Queue) lookupKind(plan []Decision, kind string) (*history.Index, error) {
	var names, keys []string
	for i := range plan {
		if d := &plan[i]; d.Event.Kind == kind {
			names, keys = append(names, d.Name), append(keys, d.Event.Key)
		}
	}
	return q.History.Lookup(names, keys)
}

// undecided returns a function that reports whether a decision is about a commit that
// is in the spool or quarantined. A forgeable message counts only when it is
// quarantined and has the same recipient and request.
func (q *Queue) undecided() (func(*Decision) bool, error) {
	spooled, err := q.Spooled()
	failed, failedErr := q.Quarantined()
	there := &commit.Index[*Item]{}
	all := append(spooled, failed...)
	for i := range all {
		there.Add(all[i].Key, &all[i])
	}
	isUndecided := func(d *Decision) (found bool) {
		there.Find(d.Event.Key, func(item *Item) bool {
			found = !commit.Forgeable(item.Source) ||
				item.Place == InQuarantine && d.isTo(request{address: item.Address}) && item.Asked == d.Event.Asked
			return !found
		})
		return found
	}
	return isUndecided, errors.Join(err, failedErr)
}

func (q *Queue) isPast(d *Decision) bool {
	return d.Day != (calendar.Day{}) && d.Day.Before(q.Today())
}
