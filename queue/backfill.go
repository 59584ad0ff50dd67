package queue

import (
	"errors"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
	"vext/spool"
)

// PlanPast decides about commits that were made in the past, as Plan would if
// they were in the spool. The decision about one that was due before today is
// history.Passed.
func (q *Queue) PlanPast(commits []commit.Commit) ([]Decision, error) {
	plan := make([]Decision, 0, len(commits))
	for i := range commits {
		c := &commits[i]
		trailers, err := commit.NewTrailers(q.Policy.trailers(c.Trailer)...)
		if err != nil {
			return nil, err
		}
		request, asks := trailers.Request(c.Message)
		if !asks {
			continue
		}
		m := &Message{Commit: *c, Request: request, Received: q.Now}
		m.Repository = q.Policy.Repository(m.Repository)
		d := Decision{Name: spool.Name(c.MadeID()), Commit: c}
		d.Event = history.Event{Time: history.Stamp(q.Now), Name: d.Name, Kind: history.Failed}
		q.judge(&d, m)
		if q.isPast(&d) { // to whomever it would have gone
			d.Event.Kind, d.Event.Due, d.Event.Reason = history.Queued, d.Day.String(), ""
		}
		plan = append(plan, d)
	}
	there, err := q.undecided()
	if err != nil {
		return nil, err
	}
	err = q.compare(&plan)
	for i := range plan {
		d := &plan[i]
		isThere := false
		there.Find(d.Event.Key, func(bool) bool { isThere = true; return false })
		switch {
		case isThere:
			d.duplicate("it is in the spool, or was set aside")
		case d.Event.Kind == history.Queued && q.isPast(d):
			d.Event.Kind = history.Passed
		}
	}
	return plan, err
}

// undecided returns the commits that are in the spool or were set aside: what
// becomes of these is for others to say.
func (q *Queue) undecided() (*commit.Index[bool], error) {
	spooled, err := q.Spooled()
	failed, failedErr := q.Failed()
	there := &commit.Index[bool]{}
	for _, item := range append(spooled, failed...) {
		there.Add(item.Key, true)
	}
	return there, errors.Join(err, failedErr)
}

func (q *Queue) isPast(d *Decision) bool {
	return d.Day != (calendar.Day{}) && d.Day.Before(q.Today())
}
