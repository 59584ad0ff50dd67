package reminder

import (
	"errors"
	"strings"
	"time"

	"vext/internal/backport"
	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
	"vext/internal/text"
)

// finish records the items for which there is nothing left to do, and then removes them
// from the queue. It returns the others. After a crash in between, the next run finds the
// record. The error is a stopError when nothing can be recorded.
func (r *run) finish(items []*dueItem) (left []*dueItem, err error) {
	var finished []*dueItem
	var events []history.Event
	for _, item := range items {
		key := item.event.Key
		switch {
		case item.isDone() || item.isSnoozed() || key != "" && r.sentKeys[key] || !item.found.isComplete():
			left = append(left, item)
			continue
		}
		r.sentKeys[key] = key != ""
		finished, events = append(finished, item), append(events, r.finishedEvent(item))
	}
	if len(finished) == 0 {
		return left, nil
	}
	if err := r.record(events...); errors.Is(err, errNotRecorded) {
		return nil, stopError{err}
	} else if err != nil {
		return nil, errors.Join(stopError{err}, r.remove(finished))
	}
	for i := range events {
		e := &events[i]
		r.tally.takeNews(e)
		if e.Kind == history.Merged {
			r.sum.Merged++
		} else {
			r.sum.Needless++
		}
		r.Log.Info(e.Kind, "name", e.Name, "for", e.Address, "reason", e.Reason)
	}
	return left, r.remove(finished)
}

// remove removes items from the queue.
func (r *run) remove(items []*dueItem) error {
	days := map[calendar.Day]bool{}
	var errs []error
	for _, item := range items {
		errs = append(errs, r.Queue.Finish(item.entry))
		days[item.entry.Day] = true
	}
	for day := range days {
		errs = append(errs, r.Queue.SyncDay(day))
	}
	return errors.Join(errs...)
}

// finishedEvent returns the event by which an item is done: Merged, or Cancelled when the
// commit is merged to no target, because it is not wanted there, or would change nothing.
func (r *run) finishedEvent(item *dueItem) history.Event {
	e := item.event
	e.Time, e.Kind, e.Name = history.Stamp(r.Queue.Now), history.Cancelled, item.entry.Name
	e.Due, e.Asked, e.Via, e.By, e.Cause = item.entry.Day.String(), "", "", "", ""
	takeTargets(&e, item.found)
	if e.Kind == history.Merged {
		e.Reason += dueWords(&e, item.entry.Day, r.Queue.Zone)
	}
	return e
}

// takeTargets makes e an event of a merge when there is one, and fills in its facts.
func takeTargets(e *history.Event, b *Backport) {
	var branches, picks, words []string
	var last time.Time
	for i := range b.Targets {
		t := &b.Targets[i]
		words = append(words, targetWords(t))
		if t.State != backport.Merged {
			continue
		}
		e.Kind = history.Merged
		pick := text.OneLine(t.By)
		if pick == "" {
			pick = "-"
		}
		branches, picks = append(branches, text.OneLine(t.Branch)), append(picks, pick)
		if t.Since.After(last) || e.By == "" {
			e.By = text.OneLine(t.Who)
		}
		if t.Since.After(last) {
			last = t.Since
		}
	}
	e.Target, e.Picked, e.Reason = strings.Join(branches, ", "), strings.Join(picks, ", "), strings.Join(words, ", ")
	if !last.IsZero() {
		e.Since = last.UTC().Format(time.RFC3339)
	}
}

// targetWords returns the state on a target at which nothing is left to do, in words.
func targetWords(t *backport.Target) string {
	branch := text.OneLine(t.Branch)
	switch {
	case t.State == backport.NotWanted:
		return "not wanted on " + branch
	case t.State == backport.NothingToDo:
		return "nothing to do on " + branch
	case t.By == "":
		return "to " + branch + ", as a person said"
	}
	return "to " + branch + " as " + text.OneLine(commit.ShortRevision(t.By))
}

// dueWords returns how long before or after its day a commit was merged; "" when nobody
// knows when that was.
func dueWords(e *history.Event, due calendar.Day, zone *time.Location) string {
	since, err := time.Parse(time.RFC3339, e.Since)
	if err != nil {
		return ""
	}
	switch days := calendar.Of(since, zone).Sub(due); {
	case days < 0:
		return ", " + calendar.Span(-days) + " before it was due"
	case days > 0:
		return ", " + calendar.Span(days) + " after it was due"
	}
	return ", on the day when it was due"
}
