package reminder

import (
	"errors"
	"fmt"
	"time"

	"vext/internal/backoff"
	"vext/internal/calendar"
	"vext/internal/history"
	"vext/internal/text"
	"vext/notify"
)

// notSent quarantines or defers items whose mail was not accepted.
func (r *run) notSent(items []*dueItem, cause error) error {
	if notify.IsPermanent(cause) {
		var errs []error
		for _, item := range items {
			errs = append(errs, r.quarantine(item, cause.Error()))
		}
		return errors.Join(errs...)
	}
	err := r.deferItems(items, cause)
	if notify.IsUnavailable(cause) {
		return errors.Join(stopError{cause}, err)
	}
	return errors.Join(cause, err)
}

// deferAll postpones the groups that were not tried because the route is
// unavailable.
func (r *run) deferAll(groups [][]*dueItem, cause error) error {
	if isHistoryError(cause) || !notify.IsUnavailable(cause) {
		return nil
	}
	var rest []*dueItem
	for _, group := range groups {
		for _, item := range group {
			if !item.isDone() {
				rest = append(rest, item)
			}
		}
	}
	return r.deferItems(rest, cause)
}

// How long, and at least how often, sending is retried. The count protects against a
// wrong clock.
const (
	giveUp      = 20 * 24 * time.Hour
	giveUpCount = 10
)

// deferItems records that items wait for a retry, or quarantines those that have
// failed for too long.
func (r *run) deferItems(items []*dueItem, cause error) error {
	return r.deferUntil(items, cause, giveUp)
}

// deferUntil is deferItems with a retry at that time after the first failure, if not
// before.
func (r *run) deferUntil(items []*dueItem, cause error, last time.Duration) error {
	now := history.Stamp(r.Queue.Now)
	var events []history.Event
	var errs []error
	for _, item := range items {
		d := item.byName.Deferrals()
		if d.Count >= giveUpCount && now.Sub(d.First) >= giveUp {
			reason := fmt.Sprintf("given up after %s: %v", calendar.Span(int(now.Sub(d.First)/(24*time.Hour))), cleanCause(cause))
			errs = append(errs, r.quarantine(item, reason))
			continue
		}
		r.sum.Deferred++
		until := now.Add(retries.After(d.Count))
		if latest := d.First.Add(last); d.Count > 0 && latest.After(now) && latest.Before(until) {
			until = latest
		}
		events = append(events, history.Event{
			Time: now, Kind: history.Deferred, Name: item.entry.Name, Address: item.event.Address,
			Reason: cleanCause(cause), Until: until.Format(time.RFC3339),
		})
	}
	if len(events) > 0 {
		errs = append(errs, r.Queue.History.Append(events...))
	}
	return errors.Join(errs...)
}

// cleanCause returns an error as one line, without the sentinel.
func cleanCause(err error) string {
	var closed *notify.UnavailableError
	if errors.As(err, &closed) {
		err = closed.Err
	}
	return text.OneLine(err.Error())
}

// retries is the backoff of a reminder. The maximum is an hour short of a day, so that
// a daily run is never a minute too early.
var retries = backoff.Backoff{Min: 5 * time.Minute, Max: 23 * time.Hour}
