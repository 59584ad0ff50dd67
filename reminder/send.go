package reminder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
	"vext/internal/text"
	"vext/notify"
	"vext/queue"
)

// A dueItem is a due entry.
type dueItem struct {
	entry   queue.Entry
	message *queue.Message
	event   history.Event  // as it was queued
	byName  *history.State // of the message
	byKey   *history.State // and of the commit
	trusted *history.State // and of the commit by what nobody can have forged
	instead string         // why the mail goes in the place of IRC, "" when it does not
	why     error          // why what it asks for can't be understood: that is explained, and not reminded of
	assumed bool           // it is taken for sent, because nobody says otherwise
}

// key identifies the reminder: the same at every try, another after a snooze.
func (d *dueItem) key() string { return d.entry.Name + "\n" + d.entry.Day.String() }

// stopError ends the sending of a run: nothing more can be sent or recorded.
type stopError struct{ err error }

func (e stopError) Error() string { return e.err.Error() }
func (e stopError) Unwrap() error { return e.err }

func isStop(err error) bool { return errors.As(err, new(stopError)) || isHistoryError(err) }

// sendDue sends what is due, day by day, of these names unless they are nil.
// Entries that fail stay or are set aside, and the next is tried, until the way
// out is closed.
func (s *Service) sendDue(ctx context.Context, sum *Summary, names []string) error {
	items, errs := s.due()
	if names != nil {
		items = slices.DeleteFunc(items, func(d *dueItem) bool { return !slices.Contains(names, d.entry.Name) })
	}
	var unclear []*dueItem
	if names == nil {
		var err error
		unclear, err = s.unexplained()
		errs = append(errs, err)
	}
	s.sentKeys = map[string]bool{}
	progress := s.progress("sending")
	if len(items)+len(unclear) > 0 {
		// What can't be recorded is not sent.
		if err := s.Queue.History.Reserve(); err != nil {
			return errors.Join(append(errs, err)...)
		}
	}
	items, err := s.handOver(ctx, items, sum)
	if errs = append(errs, err); isStop(err) {
		return errors.Join(errs...)
	}
	items = append(items, unclear...)
	var dirty []calendar.Day
	var stop error
	groups := s.groups(items, sum)
	for i, group := range groups {
		if ctx.Err() != nil {
			stop = interrupted(ctx)
			break
		}
		if progress != nil && i%100 == 0 {
			progress(i, len(groups))
		}
		err := s.sendGroup(ctx, group, sum)
		for _, item := range group {
			if n := len(dirty); item.why == nil && (n == 0 || dirty[n-1] != item.entry.Day) {
				dirty = append(dirty, item.entry.Day)
			}
		}
		if isStop(err) {
			stop = errors.Join(err, s.deferAll(groups[i+1:], err, sum))
			break
		}
		errs = append(errs, err)
	}
	if progress != nil {
		progress(len(groups), len(groups))
	}
	errs = append(errs, s.recordHeld())
	for _, day := range dirty {
		errs = append(errs, s.Queue.SyncDay(day))
	}
	return errors.Join(append(errs, stop, s.Queue.SweepDays())...)
}

// due returns what is due and may be tried now, earliest day first.
func (s *Service) due() ([]*dueItem, []error) {
	entries, err := s.Queue.Entries(s.Queue.Today())
	errs := []error{err}
	s.today = s.newDayCount()
	if len(entries) == 0 {
		return nil, errs
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	known, err := s.Queue.History.Lookup(names, nil, s.today.take)
	if err != nil {
		return nil, append(errs, err)
	}
	items := make([]*dueItem, 0, len(entries))
	var keys []string
	for _, e := range entries {
		item := &dueItem{entry: e, byName: known.Name(e.Name)}
		if err := s.identify(item); err != nil {
			errs = append(errs, err)
			continue
		}
		keys = append(keys, item.event.Key)
		items = append(items, item)
	}
	if known, err = s.Queue.History.LookupSources(nil, keys); err != nil {
		return nil, append(errs, err)
	}
	for _, item := range items {
		item.byKey, item.trusted = known.Key(item.event.Key), known.Trusted(item.event.Key)
	}
	return items, errs
}

// identify says which commit an entry is about. The history knows, unless
// somebody put the entry there by hand.
func (s *Service) identify(item *dueItem) error {
	if item.byName.Queued != nil {
		item.event = *item.byName.Queued
		return nil
	}
	item.event = history.Event{Name: item.entry.Name}
	m, err := s.Queue.Read(item.entry.Path)
	if queue.IsNotUnderstood(err) {
		return nil // it is read again, and set aside, in its turn
	}
	if err != nil {
		return err
	}
	item.event = s.Queue.Describe(item.entry.Name, m)
	return nil
}

// groups puts together what may go out as one mail: in a digest, what is for
// one person now, who may be another than when it was queued.
func (s *Service) groups(items []*dueItem, sum *Summary) [][]*dueItem {
	var groups [][]*dueItem
	byAddress := map[string]int{}
	for _, item := range items {
		if isHeld(item.byName.Limited, s.Queue.Now) {
			sum.HeldBefore++
			continue
		}
		if s.isInBackoff(item) {
			sum.InBackoff++
			continue
		}
		to := s.address(item)
		if i, ok := byAddress[to]; to != "" && ok {
			groups[i] = append(groups[i], item)
			continue
		}
		byAddress[to] = len(groups)
		groups = append(groups, []*dueItem{item})
	}
	return groups
}

// address returns to whom an item goes in a digest, "" where there is none.
func (s *Service) address(item *dueItem) string {
	if !s.Digest || item.why != nil {
		return ""
	}
	m, err := s.Queue.Read(item.entry.Path)
	if err != nil {
		return "" // said in its turn
	}
	return strings.ToLower(s.Queue.Policy.Recipient(&m.Commit).Email)
}

// isInBackoff reports whether an item is in backoff. A pause longer than any that vext
// makes was written with a wrong clock, and is ignored.
func (s *Service) isInBackoff(item *dueItem) bool {
	left := item.byName.Deferrals().Until.Sub(s.Queue.Now)
	return left > 0 && left <= retries.Max
}

// isSnoozed reports whether a person has put the reminder off to a later day,
// and a crash came before it was moved there.
func (d *dueItem) isSnoozed() bool { return d.entry.Day.String() < d.byName.Snoozed }

// isDone reports whether nothing is to be sent any more: a crash came between
// the record and the removal, or the same commit was reminded of under another
// name. For a commit that nobody can have forged, the queue has already compared the
// claims about it.
func (d *dueItem) isDone() bool {
	if d.why != nil { // see unexplained
		return false
	}
	byKey := d.byKey
	if !commit.Forgeable(d.event.Source) {
		byKey = d.trusted
	}
	return d.byName.Done || byKey.Done && d.byName.Snoozed == ""
}

// sendGroup sends one mail for one or several items. The error is a stopError
// when nothing can be sent after it.
func (s *Service) sendGroup(ctx context.Context, group []*dueItem, sum *Summary) error {
	var errs []error
	ready := group[:0:0]
	var words []Words
	for _, item := range group {
		w, ok, err := s.prepare(item, sum)
		errs = append(errs, err)
		if ok && s.isOverLimit(item) {
			delete(s.sentKeys, item.event.Key)
			s.hold(item, sum)
			continue
		}
		if ok {
			ready, words = append(ready, item), append(words, w)
		}
	}
	if len(ready) == 0 {
		return errors.Join(errs...)
	}
	m, err := s.compose(ready, words)
	if err != nil {
		// A template of one's own that does not fit: the entries wait for it
		// to be mended.
		return errors.Join(append(errs, stopError{err})...)
	}
	sending, cancel := finishing(ctx)
	defer cancel()
	if err := s.Mail.Send(sending, m); err != nil {
		if notify.IsUnconfirmed(err) {
			err = s.notConfirmed(ready, err, sum)
			if ctx.Err() != nil {
				err = errors.Join(stopError{interrupted(ctx)}, err)
			}
			return errors.Join(append(errs, err)...)
		}
		for _, item := range ready {
			delete(s.sentKeys, item.event.Key)
		}
		if ctx.Err() != nil {
			return errors.Join(append(errs, stopError{interrupted(ctx)})...)
		}
		return errors.Join(append(errs, s.notSent(ready, err, sum))...)
	}
	s.count(ready)
	errs = append(errs, s.sent(ready, sum))
	return errors.Join(errs...)
}

// grace is how long the mail in flight has when the service is told to end. To
// break it off could mean to send it twice.
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

func (s *Service) compose(items []*dueItem, words []Words) (*notify.Mail, error) {
	switch {
	case items[0].why != nil:
		return s.explanation(items[0], words[0])
	case len(items) == 1:
		return s.single(items[0], words[0])
	}
	return s.digest(items, words)
}

// prepare reads an item's message and decides whether it is to be sent.
func (s *Service) prepare(item *dueItem, sum *Summary) (Words, bool, error) {
	if item.why != nil {
		return s.prepareExplanation(item)
	}
	key := item.event.Key
	if item.isSnoozed() {
		return Words{}, false, s.Queue.Postpone(item.entry, item.byName.Snoozed)
	}
	if item.isDone() || s.sentKeys[key] {
		return Words{}, false, s.Queue.Finish(item.entry)
	}
	m, reason, err := s.readDue(item)
	if err != nil {
		return Words{}, false, err
	}
	if reason != "" {
		if item.instead != "" {
			reason = item.instead + "\n" + reason
		}
		return Words{}, false, s.quarantine(item, reason, sum)
	}
	item.message = m
	if key != "" {
		s.sentKeys[key] = true
	}
	w := s.words(m, item.entry.Name, item.byKey, s.Queue.Today())
	w.Snoozed = s.snoozed(item.byName, w.Login)
	return w, true, nil
}

// readDue reads the message of an item, or says why that is to be set aside. A
// period that can't be read does not matter any more: a person has given the
// message its day.
func (s *Service) readDue(item *dueItem) (m *queue.Message, reason string, err error) {
	m, err = s.Queue.Read(item.entry.Path)
	switch {
	case queue.IsNotUnderstood(err):
		return nil, err.Error(), nil
	case err != nil:
		return nil, "", err
	}
	return m, s.Queue.Policy.DeniesRecipient(s.Queue.Policy.Recipient(&m.Commit), m.Source), nil
}

func (s *Service) quarantine(item *dueItem, reason string, sum *Summary) error {
	if item.why != nil {
		return s.notExplained(item, reason)
	}
	if err := s.Queue.Quarantine(item.entry, item.event, reason); err != nil {
		return err
	}
	sum.Quarantined++
	s.Log.Warn("quarantined", "name", item.entry.Name, "reason", text.JoinLines(reason))
	return nil
}

// recordTries is how often a record of what was sent is tried to be written.
const recordTries = 3

// record records what was sent, if need be in the room that was reserved for
// it. full says that it had to be, and that there is no room for more.
func (s *Service) record(events ...history.Event) (full, err error) {
	for range recordTries {
		if err = s.Queue.History.Append(events...); err == nil {
			return full, nil
		}
		full = err
		s.Queue.History.Release()
	}
	return full, fmt.Errorf("sent, but not recorded: %w", err)
}

// sent records that items were sent and takes them out of the queue. From the
// server's answer to the record there is no step in between. When it can't be
// written, the room that was reserved for it is used, and nothing more is sent;
// even if that fails, the removal alone keeps the reminder from going out
// twice.
func (s *Service) sent(items []*dueItem, sum *Summary) error {
	events := make([]history.Event, len(items))
	for i, item := range items {
		e := item.event
		e.Time, e.Kind, e.Name = history.Stamp(s.Queue.Now), history.Sent, item.entry.Name
		to := s.Queue.Policy.Recipient(&item.message.Commit)
		e.Address, e.Committer = to.Email, to.Name
		e.Due, e.Via, e.Asked, e.Reason, e.By = item.entry.Day.String(), s.via(item), "", item.reason(), ""
		if item.why != nil {
			e.Kind, e.Due, e.Asked, e.Cause = history.Explained, "", item.event.Asked, ""
		}
		events[i] = e
	}
	full, err := s.record(events...)
	switch {
	case err != nil:
		err = stopError{err}
	case full != nil:
		err = stopError{full}
	}
	for i, item := range items {
		if item.why != nil {
			sum.Explained++
			s.Log.Info("explained", "name", item.entry.Name, "to", events[i].Address, "asked", item.event.Asked)
			continue
		}
		sum.Sent++
		s.Log.Info("sent", "name", item.entry.Name, "to", events[i].Address, "via", events[i].Via)
		var finishErr error
		for range recordTries {
			if finishErr = s.Queue.Finish(item.entry); finishErr == nil {
				break
			}
		}
		err = errors.Join(err, finishErr)
	}
	return err
}
