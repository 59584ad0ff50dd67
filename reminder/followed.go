package reminder

import (
	"context"
	"strings"

	"vext/internal/calendar"
	"vext/internal/history"
)

// A sentOnce is a reminder that was sent, and after which nothing came yet: the commit was
// neither found to be merged, nor was the reminder snoozed or cancelled.
type sentOnce struct {
	Due    string // the day for which it was sent last, YYYYMMDD
	Day    string // the day on which it was sent last
	Times  int    // how often
	Repeat string // the day for which it was put back into the queue; "" when it was not
}

// maxFollowed is for how many days after a reminder vext looks whether its commit was
// merged: as long as its message is kept.
const maxFollowed = 60

// revertedReason begins the reason of a reminder that says that a commit was reverted.
const revertedReason = "it was reverted in "

// takeOpen follows the reminders that were sent.
func (t *tally) takeOpen(e *history.Event) {
	one := t.Open[e.Name]
	switch e.Kind {
	case history.Sent:
		day := calendar.Of(e.Time, t.zone)
		if e.Name == "" || t.isOld(day.String()) || strings.Contains(e.Reason, revertedReason) {
			delete(t.Open, e.Name)
			return
		}
		if one == nil {
			one = &sentOnce{}
			t.Open[e.Name] = one
		}
		*one = sentOnce{Due: e.Due, Day: day.String(), Times: one.Times + 1}
	case history.Repeated:
		if one != nil {
			one.Repeat = e.Due
		}
	case history.Queued, history.Snoozed, history.Cancelled, history.Merged, history.Replaced, history.Superseded, history.Failed:
		delete(t.Open, e.Name)
	}
}

// isOld reports whether what was sent on a day, YYYYMMDD, is not followed any more.
func (t *tally) isOld(day string) bool {
	sent, err := calendar.Parse(day)
	return err != nil || calendar.Of(t.now, t.zone).Sub(sent) > maxFollowed
}

// forgetOld removes the reminders that are not followed any more.
func (t *tally) forgetOld() {
	for name, one := range t.Open {
		if t.isOld(one.Day) {
			delete(t.Open, name)
			t.changed = true
		}
	}
}

// follow asks, once a day and without the lock, whether the commits of reminders that were
// sent have been merged since, and what else is known of commits that are not due.
func (r *run) follow(ctx context.Context) {
	t := r.loadTally()
	if t.Followed == r.Queue.Today().String() || t.update(r.Queue.History) != nil {
		return
	}
	r.followed = true
	kept, _ := r.Queue.Kept(func(name string) bool { return t.Open[name] != nil && t.Open[name].Repeat == "" })
	for _, e := range kept {
		if m, err := r.Queue.Read(e); err == nil {
			r.read[e] = m
		}
	}
	r.look(ctx, kept, maxLook, false)
	for _, e := range kept {
		if b := r.found[e]; b.isComplete() {
			r.merged = append(r.merged, e)
		}
	}
	r.findConflicts(ctx)
	r.findMissing(ctx)
}

// recordMerged records the commits that were merged after their reminder.
func (r *run) recordMerged() error {
	if r.followed {
		r.tally.Followed, r.tally.changed = r.Queue.Today().String(), true
	}
	if len(r.merged) == 0 {
		return nil
	}
	about := r.pending()
	for _, e := range r.merged {
		about.Add([]string{e.Name}, nil)
	}
	if err := r.lookUp(about); err != nil {
		return err
	}
	var events []history.Event
	for _, entry := range r.merged {
		state := r.index.Name(entry.Name)
		if !state.Sent || state.Queued == nil {
			continue // snoozed, or cancelled since
		}
		e := *state.Queued
		e.Time, e.Kind, e.Due = history.Stamp(r.Queue.Now), "", state.Ended.Due
		e.Asked, e.Via, e.By, e.Cause = "", "", "", ""
		takeTargets(&e, r.found[entry])
		due, err := calendar.Parse(e.Due)
		if e.Kind != history.Merged || err != nil {
			continue
		}
		e.Reason += dueWords(&e, due, r.Queue.Zone)
		events = append(events, e)
		delete(r.tally.Open, entry.Name)
	}
	if err := r.Queue.History.Append(events...); err != nil {
		return err
	}
	for i := range events {
		r.tally.takeNews(&events[i])
		r.sum.MergedSince++
		r.Log.Info("merged", "name", events[i].Name, "for", events[i].Address, "reason", events[i].Reason)
	}
	return nil
}

// reconsider handles the reminders that were sent before: it records what was merged since,
// and puts those that are to come again back into the queue.
func (r *run) reconsider() error {
	if err := r.recordMerged(); err != nil {
		return err
	}
	return r.repeat()
}
