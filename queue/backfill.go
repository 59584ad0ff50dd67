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
	known, err := q.History.Lookup(Subjects(plan))
	if err != nil {
		return nil, err
	}
	err = q.Compare(&plan, known)
	for i := range plan {
		d := &plan[i]
		switch {
		case isUndecided(d):
			d.duplicate("it is in the spool, or quarantined")
		case d.Event.Kind == history.Failed && (known.Name(d.Name).IsKnown() || known.Commit(d.Event.Key).All.IsKnown()):
			d.duplicate("a person has decided about it")
		case d.Event.Kind == history.Queued && q.isPast(d):
			d.Event.Kind = history.Missed
		}
	}
	return plan, err
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
