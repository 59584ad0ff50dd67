package reminder

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vext/internal/backoff"
	"vext/internal/calendar"
	"vext/internal/history"
	"vext/internal/text"
	"vext/notify"
	"vext/queue"
)

// retries is the backoff of a reminder. The maximum is an hour short of a day, so that
// a daily run is never a minute too early.
var retries = backoff.Backoff{Min: 5 * time.Minute, Max: 23 * time.Hour}

// How long, and at least how often, sending is retried. The count protects against a
// wrong clock.
const (
	giveUp      = 20 * 24 * time.Hour
	giveUpCount = 10
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
	err := r.deferItems(items, cause, giveUp)
	if notify.IsUnavailable(cause) {
		return errors.Join(stopError{cause}, err)
	}
	return errors.Join(cause, err)
}

// deferAll postpones the groups that were not tried because the route is unavailable.
func (r *run) deferAll(groups [][]*dueItem, cause error) error {
	if isHistoryError(cause) || !notify.IsUnavailable(cause) {
		return nil
	}
	return r.deferItems(slices.DeleteFunc(slices.Concat(groups...), (*dueItem).isDone), cause, giveUp)
}

// deferItems records that items wait for a retry, and quarantines those that have failed
// for too long. The next retry is after the backoff, or earlier, once the time last has
// passed since the first failure.
func (r *run) deferItems(items []*dueItem, cause error, last time.Duration) error {
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
		e := item.about(history.Deferred, now)
		e.Address, e.Reason, e.Until = item.event.Address, cleanCause(cause), until.Format(time.RFC3339)
		events = append(events, e)
	}
	return errors.Join(append(errs, r.Queue.History.Append(events...))...)
}

// cleanCause returns an error as one line, without the sentinel.
func cleanCause(err error) string {
	var closed *notify.UnavailableError
	if errors.As(err, &closed) {
		err = closed.Err
	}
	return text.OneLine(err.Error())
}

// unconfirmedBackoffs are the times after which a mail is sent again that a server
// received without answering. After the last it counts as sent.
var unconfirmedBackoffs = [...]time.Duration{time.Hour, retries.Max}

// notConfirmed handles items whose mail got no answer: they are sent again a few
// times, and then count as sent.
func (r *run) notConfirmed(items []*dueItem, cause error) error {
	now := history.Stamp(r.Queue.Now)
	var events []history.Event
	var assumed []*dueItem
	for _, item := range items {
		taken := item.byName.Deferrals().Taken
		if taken >= len(unconfirmedBackoffs) {
			item.reason = join(item.reason, fmt.Sprintf("counts as sent: sent %d times without an answer", taken+1))
			assumed = append(assumed, item)
			continue
		}
		r.sum.Deferred++
		e := item.about(history.Unconfirmed, now)
		e.Key, e.Source = item.event.Key, item.event.Source
		e.Address, e.Via = r.Queue.Policy.Recipient(&item.message.Commit).Email, r.Mail.String()
		e.Reason, e.Until = cleanCause(cause), now.Add(unconfirmedBackoffs[taken]).Format(time.RFC3339)
		if item.why != nil {
			e.Cause = history.CausePeriod
		}
		events = append(events, e)
	}
	r.count(items)
	err := cause
	if notify.IsUnavailable(cause) {
		err = stopError{cause}
	}
	if recordErr := r.record(events...); recordErr != nil {
		err = errors.Join(stopError{recordErr}, err)
	}
	return errors.Join(r.sent(assumed), err)
}

// count counts a mail for items that was just sent.
func (r *run) count(items []*dueItem) {
	if slices.ContainsFunc(items, (*dueItem).isForgeable) {
		r.mails[r.recipient(items[0])]++
	}
}

func (s *Service) recipient(item *dueItem) string {
	return strings.ToLower(s.Queue.Policy.Recipient(&item.message.Commit).Email)
}

// isOverLimit reports whether an item can be forged and its recipient has received
// the day's maximum.
func (r *run) isOverLimit(item *dueItem) bool {
	return r.MaxPerDay > 0 && item.isForgeable() && r.mails[r.recipient(item)] >= r.MaxPerDay
}

// hold keeps an item in the queue until tomorrow; sendDue records that.
func (r *run) hold(item *dueItem) {
	e := item.about(history.Limited, history.Stamp(r.Queue.Now))
	e.Address, e.Source, e.Until = r.recipient(item), item.event.Source, r.tomorrow().UTC().Format(time.RFC3339)
	e.Reason = fmt.Sprintf("%s for this recipient today already, for commit mails that anybody can forge (max_per_day)", calendar.Plural(r.MaxPerDay, "reminder"))
	r.held = append(r.held, e)
	r.sum.Held++
}

// tomorrow returns when the next day begins, which need not be at midnight.
func (s *Service) tomorrow() time.Time {
	t := s.Queue.Now.Truncate(15 * time.Minute)
	for !s.Queue.Today().Before(calendar.Of(t, s.Queue.Zone)) {
		t = t.Add(15 * time.Minute)
	}
	return t
}

// isHeld reports whether a reminder is held until its recipient's next day.
func (s *Service) isHeld(item *dueItem) bool {
	_, held := queue.HeldUntil(item.byName.Limited, s.Queue.Now)
	return held
}
