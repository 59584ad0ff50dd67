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
)

// ErrUnchanged is returned for what is already as it is to be: nothing is recorded.
var ErrUnchanged = errors.New("nothing has changed")

// Snooze puts a reminder off by a period: from the day on which it is due, or
// from today when it is due or past; or until a date. What was snoozed before on
// the same day does not count: the last word does, and to say it twice changes
// nothing. Snooze brings a reminder that was sent back into the queue. It
// returns the new day; by is the user who asked. The error is ErrUnchanged, beside
// the day, when the reminder was due then before.
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
	if item.Place == InQuarantine && !item.readable() {
		return day, fmt.Errorf("%s can't be queued: %s", item.Name, item.Reason)
	}
	if item.Place == InQueue && day == item.Day && !byName.Done && byName.Tried == nil && byName.Limited == nil {
		return day, ErrUnchanged // it ends no pause either
	}
	if err := q.record(item, history.Snoozed, by, day.String()); err != nil {
		return day, err
	}
	if day == item.Day {
		return day, nil
	}
	return day, q.move(item, day)
}

// snoozedFrom returns the day from which a period counts: that on which the
// reminder was due this morning, or today when that is past, and what the history
// says of its message.
func (q *Queue) snoozedFrom(item *Item) (calendar.Day, *history.State, error) {
	var due calendar.Day
	today := q.Today()
	isSnoozed := false // since this morning
	byName, moved, err := q.know(item, func(e *history.Event) {
		switch {
		case e.Name != item.Name:
		case e.Kind == history.Snoozed && calendar.Of(e.Time, q.Zone) == today:
			isSnoozed = true
		case e.Kind == history.Queued || e.Kind == history.Snoozed:
			due, _ = calendar.Parse(e.Due)
			isSnoozed = false
		case slices.Contains([]string{history.Sent, history.Cancelled, history.Superseded, history.Failed}, e.Kind):
			due = calendar.Day{}
		}
	})
	if !isSnoozed {
		due = item.Day
	}
	if due.Before(today) {
		due = today
	}
	return due, byName, errors.Join(err, moved)
}

// readable reports whether the message says which commit it is.
func (i *Item) readable() bool { return i.Address != "" }

func (q *Queue) record(item *Item, kind, by, due string) error {
	if err := q.prepare(); err != nil {
		return err
	}
	e := *item.Event
	e.Time, e.Kind, e.By, e.Due, e.Reason = history.Stamp(q.Now), kind, by, due, ""
	return q.History.Append(e)
}

// move brings a message from wherever it is into the queue.
func (q *Queue) move(item *Item, day calendar.Day) error {
	if err := disk.MakeDir(q.dayDir(day)); err != nil {
		return err
	}
	to := q.entry(day, item.Name)
	err := disk.Rename(item.Path, to.Path)
	if errors.Is(err, fs.ErrExist) {
		err = disk.Remove(item.Path)
	}
	if err == nil {
		err = disk.SyncDir(q.dayDir(day))
	}
	if err == nil {
		err = q.tidy(item)
	}
	return err
}

// tidy removes what a message leaves behind at the place it was moved from.
func (q *Queue) tidy(item *Item) error {
	switch item.Place {
	case InQueue:
		return q.SyncDay(item.Day)
	case InQuarantine:
		return disk.Remove(item.Path + whySuffix)
	}
	return nil
}

// Cancel takes a reminder out for good. The message is kept for a while, as
// one that was sent is. The error is ErrUnchanged when it was cancelled before.
func (q *Queue) Cancel(item *Item, by string) error {
	byName, moved, err := q.know(item)
	switch {
	case err != nil:
		return err
	case moved != nil && item.Place != InQuarantine:
		return moved
	case item.Place == InDone && byName.Ended != nil && byName.Ended.Kind == history.Cancelled:
		return ErrUnchanged
	case item.Place == InQuarantine && (byName.Queued == nil || moved != nil):
		// It may be a forgery, and must not stand for the true commit; nor does it
		// stand for one that was amended.
		item.Key = ""
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
	return q.tidy(item)
}

// Unclear returns the names of those of the items that are quarantined, and would
// be so again because what their commits ask for can't be understood.
func (q *Queue) Unclear(items ...Item) (map[string]bool, error) {
	unclear := map[string]bool{}
	var plan []Decision
	for i := range items {
		if items[i].Place != InQuarantine {
			continue
		}
		m, err := q.Read(items[i].Path)
		if err != nil {
			continue // a retry says so
		}
		d := Decision{Name: items[i].Name, Event: history.Event{Time: history.Stamp(q.Now), Name: items[i].Name, Kind: history.Failed}}
		if q.judge(&d, m); d.Event.Kind == history.Failed && d.Event.Cause == history.CausePeriod {
			plan = append(plan, d)
		}
	}
	err := q.compare(&plan) // a person may have given one a day since
	for i := range plan {
		if plan[i].Event.Kind == history.Failed {
			unclear[plan[i].Name] = true
		}
	}
	return unclear, err
}

// Retry puts what was set aside back into the spool, where the next run
// decides about it again; for a reminder in the queue that could not be sent
// it ends the pause before the next attempt.
func (q *Queue) Retry(item *Item, by string) error {
	if item.Place != InQuarantine && item.Place != InQueue {
		return fmt.Errorf("%s is neither set aside nor waiting to be sent again", item.Name)
	}
	info, err := os.Lstat(item.Path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no message and can't be tried again; remove it by hand: %s", item.Name, item.Path)
	}
	if err := q.record(item, history.Retried, by, ""); err != nil {
		return err
	}
	if item.Place == InQueue {
		return nil
	}
	if err := q.Spool.Return(item.Path, item.Name); err != nil {
		return err
	}
	return q.tidy(item)
}
