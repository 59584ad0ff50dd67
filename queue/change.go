package queue

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/disk"
	"vext/internal/history"
	"vext/spool"
)

// ErrUnchanged is returned when a change has no effect. Nothing is recorded.
var ErrUnchanged = errors.New("nothing has changed")

// Snooze moves a reminder by a period, counted from its due day, or from today when
// that is later; or to a date. Of several on one day the last one counts, as if it
// were the only one. A reminder that was sent goes back into the queue. Snooze returns
// the new day; by is the user. The error is ErrUnchanged, with the day, when the
// reminder was due on that day before.
func (q *Queue) Snooze(item *Item, period commit.Period, by string) (calendar.Day, error) {
	from, byName, err := q.snoozedFrom(item)
	if err != nil {
		return from, err
	}
	day, err := period.Due(from)
	if err != nil {
		return day, err
	}
	if day.Before(q.Today()) {
		return day, fmt.Errorf("%s is past", day.Long())
	}
	if item.Place == InQuarantine && item.Address == "" {
		return day, fmt.Errorf("%s can't be queued: %s", item.Name, item.Reason)
	}
	if item.Place == InQueue && day == item.Day && !byName.Done && byName.Tried == nil && byName.Limited == nil {
		return day, ErrUnchanged // no backoff or limit ends either
	}
	if err := q.record(item, history.Snoozed, by, day.String()); err != nil {
		return day, err
	}
	return day, q.move(item.Entry(), day)
}

// snoozedFrom returns the day from which a period counts: the day on which the
// reminder was due at the start of today, or today if that is later. It also returns
// what the history has about its message.
func (q *Queue) snoozedFrom(item *Item) (calendar.Day, *history.State, error) {
	var due calendar.Day
	today := q.Today()
	isSnoozed := false // today
	byName, moved, err := q.lookup(item)
	if err != nil {
		return due, nil, err
	}
	events, err := q.Events(item.Name)
	for i := range events {
		switch e := &events[i]; {
		case e.Kind == history.Snoozed && calendar.Of(e.Time, q.Zone) == today:
			isSnoozed = true
		case e.Kind == history.Queued || e.Kind == history.Snoozed || e.Kind == history.Repeated:
			due, _ = calendar.Parse(e.Due)
			isSnoozed = false
		case slices.Contains([]string{history.Sent, history.Fallback, history.Cancelled, history.Merged, history.Superseded, history.Failed}, e.Kind):
			due = calendar.Day{}
		}
	}
	if !isSnoozed {
		due = item.Day
	}
	if due.Before(today) {
		due = today
	}
	return due, byName, errors.Join(err, moved)
}

func (q *Queue) record(item *Item, kind, by, due string) error {
	if err := q.prepare(); err != nil {
		return err
	}
	e := *item.Event
	e.Time, e.Kind, e.By, e.Due, e.Reason = history.Stamp(q.Now), kind, by, due, ""
	e.Target, e.Picked, e.Since = "", "", ""
	return q.History.Append(e)
}

// move moves a message from any place into the queue.
func (q *Queue) move(from Entry, day calendar.Day) error {
	to := q.entry(day, from.Name)
	if to == from {
		return nil
	}
	if err := disk.MakeDir(q.dayDir(day)); err != nil {
		return err
	}
	err := disk.Rename(from.path(), to.path())
	if errors.Is(err, fs.ErrExist) { // a crash between link and unlink
		err = disk.Remove(from.path())
	}
	if err == nil {
		err = disk.SyncDir(q.dayDir(day))
	}
	if err == nil {
		err = q.tidy(from)
	}
	return err
}

// tidy removes what a message left in the place from which it was moved.
func (q *Queue) tidy(e Entry) error {
	switch e.dir {
	case q.dayDir(e.Day):
		return q.SyncDay(e.Day)
	case q.failed():
		return disk.Remove(e.path() + spool.WhySuffix)
	}
	return nil
}

// Cancel ends a reminder. The message is kept as after a reminder was sent. The error
// is ErrUnchanged when it was cancelled before.
func (q *Queue) Cancel(item *Item, by string) error {
	byName, moved, err := q.lookup(item)
	switch {
	case err != nil:
		return err
	case moved != nil && item.Place != InQuarantine:
		return moved
	case item.Place == InDone && byName.Ended != nil && byName.Ended.Kind == history.Cancelled:
		return ErrUnchanged
	case item.Place == InQuarantine && (byName.Queued == nil || moved != nil):
		// The message may be forged, and must not cancel the reminder of the true
		// commit, nor that of the successor of an amended one.
		e := *item.Event
		e.Key, item.Event = "", &e
	}
	if err := q.record(item, history.Cancelled, by, ""); err != nil {
		return err
	}
	if item.Place == InDone {
		return nil
	}
	if err := q.Finish(item.Entry()); err != nil {
		return err
	}
	return q.tidy(item.Entry())
}

// Unclear returns the names of the quarantined items that a retry would quarantine
// again, because the period in their trailer is not understood.
func (q *Queue) Unclear(items ...Item) (map[string]bool, error) {
	unclear := map[string]bool{}
	var plan []Decision
	for i := range items {
		if items[i].Place != InQuarantine {
			continue
		}
		m, err := q.Read(items[i].Entry())
		if err != nil {
			continue // Retry reports it
		}
		d := Decision{Name: items[i].Name}
		if q.judge(&d, m); d.Event.Kind == history.Failed && d.Event.Cause == history.CausePeriod {
			plan = append(plan, d)
		}
	}
	_, err := q.compare(&plan) // a person may have snoozed one since
	for i := range plan {
		if plan[i].Event.Kind == history.Failed {
			unclear[plan[i].Name] = true
		}
	}
	return unclear, err
}

// Retry moves a quarantined message back into the spool, and the next run decides about
// it again. For a reminder in the queue that could not be sent, it ends the backoff.
func (q *Queue) Retry(item *Item, by string) error {
	if item.Place != InQuarantine && item.Place != InQueue {
		return fmt.Errorf("%s is neither quarantined nor in backoff", item.Name)
	}
	info, err := os.Lstat(item.File())
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a message and can't be retried; remove it by hand: %s", item.Name, item.File())
	}
	if err := q.record(item, history.Retried, by, ""); err != nil {
		return err
	}
	if item.Place == InQueue {
		return nil
	}
	if err := q.Spool.Return(item.File(), item.Name); err != nil {
		return err
	}
	return q.tidy(item.Entry())
}
