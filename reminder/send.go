package reminder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
	"vext/internal/text"
	"vext/notify"
	"vext/queue"
)

// stopError ends the sending of a run: nothing more can be sent or recorded.
type stopError struct{ err error }

func (e stopError) Error() string { return e.err.Error() }
func (e stopError) Unwrap() error { return e.err }

func isStop(err error) bool { return errors.As(err, new(stopError)) || isHistoryError(err) }

// sendDue sends what is due, day by day; only these names unless they are nil. An
// entry that fails stays or is quarantined, and the next is sent, until the transport
// is unavailable.
func (r *run) sendDue(ctx context.Context, names []string) error {
	items, errs := r.due()
	if names != nil {
		items = slices.DeleteFunc(items, func(d *dueItem) bool { return !slices.Contains(names, d.entry.Name) })
	}
	var unclear []*dueItem
	if names == nil {
		var err error
		unclear, err = r.unexplained()
		errs = append(errs, err)
	}
	r.sentKeys = map[string]bool{}
	progress := r.progress("sending")
	if len(items)+len(unclear) > 0 {
		if err := r.Queue.History.Reserve(); err != nil {
			return errors.Join(append(errs, err)...)
		}
	}
	r.findOutRest(ctx, items)
	items, err := r.finish(items)
	if errs = append(errs, err); isStop(err) {
		return errors.Join(errs...)
	}
	items, err = r.enqueue(ctx, r.withoutQuiet(items))
	if errs = append(errs, err); isStop(err) {
		return errors.Join(errs...)
	}
	items = append(items, unclear...)
	days := map[calendar.Day]bool{} // from which messages were removed
	var stop error
	groups := r.groups(items)
	for i, group := range groups {
		if ctx.Err() != nil {
			stop = interrupted(ctx)
			break
		}
		if progress != nil && i%100 == 0 {
			progress(i, len(groups))
		}
		err := r.sendGroup(ctx, group)
		for _, item := range group {
			if item.why == nil {
				days[item.entry.Day] = true
			}
		}
		if isStop(err) {
			stop = errors.Join(err, r.deferAll(groups[i+1:], err))
			break
		}
		errs = append(errs, err)
	}
	if progress != nil {
		progress(len(groups), len(groups))
	}
	errs = append(errs, r.Queue.History.Append(r.held...))
	r.held = nil
	for day := range days {
		errs = append(errs, r.Queue.SyncDay(day))
	}
	return errors.Join(append(errs, stop, r.Queue.SweepDays())...)
}

// sendGroup sends one mail for one or several items. The error is a stopError
// when nothing can be sent after it.
func (r *run) sendGroup(ctx context.Context, group []*dueItem) error {
	var errs []error
	ready := group[:0:0]
	var words []Words
	for _, item := range group {
		w, ok, err := r.prepare(item)
		errs = append(errs, err)
		if ok && r.isOverLimit(item) {
			delete(r.sentKeys, item.event.Key)
			r.hold(item)
			continue
		}
		if ok {
			ready, words = append(ready, item), append(words, w)
		}
	}
	if len(ready) == 0 {
		return errors.Join(errs...)
	}
	to := r.recipient(ready[0])
	if ready[0].why == nil {
		words[0].Merged = r.news(to)
	}
	m, err := r.compose(ready, words)
	if err != nil {
		// One of the user's templates fails: the entries wait until it is fixed.
		return errors.Join(append(errs, stopError{err})...)
	}
	sending, cancel := finishing(ctx)
	defer cancel()
	if err := r.Mail.Send(sending, m); err != nil {
		if notify.IsUnconfirmed(err) {
			err = r.notConfirmed(ready, err)
			if ctx.Err() != nil {
				err = errors.Join(stopError{interrupted(ctx)}, err)
			}
			return errors.Join(append(errs, err)...)
		}
		for _, item := range ready {
			delete(r.sentKeys, item.event.Key)
		}
		if ctx.Err() != nil {
			return errors.Join(append(errs, stopError{interrupted(ctx)})...)
		}
		return errors.Join(append(errs, r.notSent(ready, err))...)
	}
	if ready[0].why == nil {
		delete(r.tally.News, to)
	}
	r.count(ready)
	return errors.Join(append(errs, r.sent(ready))...)
}

// grace is how long sending a mail may continue after the service was interrupted. An
// aborted mail could be sent twice.
const grace = 20 * time.Second

// interrupted returns the error of a run that was ended early.
func interrupted(ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, errMaxRun) {
		return cause
	}
	return fmt.Errorf("interrupted before all was sent: %w", ctx.Err())
}

// finishing returns a context that ends a while after ctx does.
func finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return sending, func() { stop(); cancel() }
}

// prepare reads an item's message and decides whether to send it.
func (r *run) prepare(item *dueItem) (Words, bool, error) {
	if item.why != nil {
		return r.prepareExplanation(item)
	}
	key := item.event.Key
	if item.isSnoozed() {
		return Words{}, false, r.Queue.Postpone(item.entry, item.byName.Snoozed)
	}
	if item.isDone() || r.sentKeys[key] {
		return Words{}, false, r.Queue.Finish(item.entry)
	}
	m, reason, err := r.readDue(item)
	switch {
	case err != nil:
		return Words{}, false, err
	case reason != "" && item.reason != "":
		return Words{}, false, r.quarantine(item, item.reason+"\n"+reason)
	case reason != "":
		return Words{}, false, r.quarantine(item, reason)
	}
	r.sentKeys[key] = key != ""
	w := r.wordsOf(item, m)
	w.Snoozed = r.snoozed(item.byName, w.Login)
	if item.reason != "" {
		w.Facts = append(w.Facts, Fact{"By mail", "because " + text.OneLine(item.reason)})
	}
	return w, true, nil
}

// readDue reads the message of an item, or returns the reason for its quarantine. An
// unclear trailer is no reason, because a person has given such a message its day.
func (s *Service) readDue(item *dueItem) (m *queue.Message, reason string, err error) {
	m, err = s.message(item)
	switch {
	case queue.IsNotUnderstood(err):
		return nil, err.Error(), nil
	case err != nil:
		return nil, "", err
	}
	return m, s.Queue.Policy.DeniesRecipient(s.Queue.Policy.Recipient(&m.Commit), m.Source), nil
}

func (r *run) quarantine(item *dueItem, reason string) error {
	if item.why != nil {
		return r.notExplained(item, reason)
	}
	if err := r.Queue.Quarantine(item.entry, item.event, reason); err != nil {
		return err
	}
	r.sum.Quarantined++
	r.Log.Warn("quarantined", "name", item.entry.Name, "reason", text.JoinLines(reason))
	return nil
}

// recordTries is how often writing a record of what was sent is tried.
const recordTries = 3

var errNotRecorded = errors.New("sent, but not recorded")

// join joins reasons.
func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// record records what was sent, if need be in the reserved space. After an error nothing
// more can be recorded. With errNotRecorded, these events were not recorded either.
func (s *Service) record(events ...history.Event) error {
	var failed error
	for range recordTries {
		err := s.Queue.History.Append(events...)
		if err == nil {
			return failed
		}
		failed = err
		s.Queue.History.Release()
	}
	return fmt.Errorf("%w: %w", errNotRecorded, failed)
}

// sent records that items were sent, immediately after the server's answer, and
// removes them from the queue. When the record can't be written, nothing more is sent.
// Then the removal alone prevents a second mail; a reminder for targets stays, and the next
// run puts it again under the same key.
func (r *run) sent(items []*dueItem) error {
	events := make([]history.Event, len(items))
	for i, item := range items {
		e := item.event
		e.Time, e.Kind, e.Name = history.Stamp(r.Queue.Now), history.Sent, item.entry.Name
		to := r.Queue.Policy.Recipient(&item.message.Commit)
		e.Address, e.Committer = to.Email, to.Name
		e.Due, e.Via, e.Asked, e.Reason, e.By = item.entry.Day.String(), r.via(item), "", item.reason, ""
		if b := item.found; b != nil && b.Reverted != nil && item.why == nil {
			e.Reason = join(e.Reason, revertedReason+text.OneLine(commit.ShortRevision(b.Reverted.By)))
		}
		if item.byName.Fallback {
			e.Kind = history.Fallback
		}
		if item.why != nil {
			e.Kind, e.Due, e.Asked, e.Cause = history.Explained, "", item.event.Asked, ""
		}
		events[i] = e
	}
	err := r.record(events...)
	if err != nil {
		err = stopError{err}
	}
	for i, item := range items {
		if item.why != nil {
			r.sum.Explained++
			r.Log.Info("explained", "name", item.entry.Name, "to", events[i].Address, "asked", item.event.Asked)
			continue
		}
		if item.byName.Fallback {
			r.sum.Fallbacks++
		} else {
			r.sum.Sent++
		}
		r.Log.Info("sent", "name", item.entry.Name, "to", events[i].Address, "via", events[i].Via)
		if errors.Is(err, errNotRecorded) && len(item.enqueued) > 0 && !item.route.Mail {
			continue
		}
		var finishErr error
		for range recordTries {
			if finishErr = r.Queue.Finish(item.entry); finishErr == nil {
				break
			}
		}
		err = errors.Join(err, finishErr)
	}
	return err
}
