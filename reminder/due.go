package reminder

import (
	"time"

	"vext/internal/commit"
	"vext/internal/history"
	"vext/policy"
	"vext/queue"
)

// A dueItem is a due entry.
type dueItem struct {
	entry    queue.Entry
	message  *queue.Message
	event    history.Event  // as it was queued
	byName   *history.State // of the message
	commit   *history.Commit
	found    *Backport    // what has become of the commit; nil when nobody was asked
	reason   string       // why the mail replaces messages to targets, or counts as sent; else ""
	route    policy.Route // of what may go to targets
	enqueued []string     // the targets of messages in the outbox
	why      error        // why its trailer is not understood; set for an explanation
}

// key identifies the reminder: the same for each retry, another after a snooze.
func (d *dueItem) key() string { return d.entry.Name + "\n" + d.entry.Day.String() }

// about returns an event of its commit, with the facts that vext log shows and filters by.
func (d *dueItem) about(kind string, at time.Time) history.Event {
	e := &d.event
	return history.Event{
		Time: at, Kind: kind, Name: d.entry.Name, Committer: e.Committer,
		Repository: e.Repository, Branch: e.Branch, Revision: e.Revision, Subject: e.Subject,
	}
}

// due returns what is due and may be tried now, earliest day first.
func (r *run) due() ([]*dueItem, []error) {
	entries, err := r.Queue.Entries(r.Queue.Today())
	errs := []error{err}
	r.mails = map[string]int{}
	for address, n := range r.tally.Mails {
		r.mails[address] = n.Count
	}
	if len(entries) == 0 {
		return nil, errs
	}
	about := r.Queue.History.NewIndex()
	for _, e := range entries {
		about.AddWithCommit(e.Name)
	}
	if err := r.lookUp(about); err != nil {
		return nil, append(errs, err)
	}
	items := make([]*dueItem, 0, len(entries))
	var keys []string
	for _, e := range entries {
		item := &dueItem{entry: e, byName: r.index.Name(e.Name), message: r.read[e], found: r.found[e]}
		if err := r.identify(item); err != nil {
			errs = append(errs, err)
			continue
		}
		keys = append(keys, item.event.Key)
		items = append(items, item)
	}
	about.Add(nil, keys)
	if err := r.lookUp(about); err != nil {
		return nil, append(errs, err)
	}
	for _, item := range items {
		item.byName, item.commit = r.index.Name(item.entry.Name), r.index.Commit(item.event.Key)
	}
	return items, errs
}

// identify fills in the event of an item: from the history, or from the message when
// somebody put it into the queue by hand.
func (s *Service) identify(item *dueItem) error {
	if item.byName.Queued != nil {
		item.event = *item.byName.Queued
		return nil
	}
	item.event = history.Event{Name: item.entry.Name}
	m, err := s.message(item)
	if queue.IsNotUnderstood(err) {
		return nil // prepare quarantines it
	}
	if err != nil {
		return err
	}
	item.event = s.Queue.Describe(item.entry.Name, m)
	return nil
}

// message reads the message of an item, once.
func (s *Service) message(item *dueItem) (m *queue.Message, err error) {
	if item.message == nil {
		item.message, err = s.Queue.Read(item.entry)
	}
	return item.message, err
}

// groups returns the items of each mail: with digests, those of one recipient. The
// recipient can have changed since the item was queued.
func (r *run) groups(items []*dueItem) [][]*dueItem {
	var groups [][]*dueItem
	byAddress := map[string]int{}
	for _, item := range items {
		if what := item.waits(); what != "" && !item.isDone() && !item.isSnoozed() {
			r.sum.Waiting++
			r.Log.Info("waits", "name", item.entry.Name, "for", what)
			continue
		}
		if r.isHeld(item) {
			r.sum.HeldBefore++
			continue
		}
		if r.isInBackoff(item) {
			r.sum.InBackoff++
			continue
		}
		to := r.address(item)
		if i, ok := byAddress[to]; to != "" && ok {
			groups[i] = append(groups[i], item)
			continue
		}
		byAddress[to] = len(groups)
		groups = append(groups, []*dueItem{item})
	}
	return groups
}

// address returns the recipient of an item's digest, "" without digests.
func (s *Service) address(item *dueItem) string {
	if !s.Digest || item.why != nil {
		return ""
	}
	if _, err := s.message(item); err != nil {
		return "" // prepare returns the error
	}
	return s.recipient(item)
}

// isInBackoff reports whether an item is in backoff. A time later than any backoff was
// recorded with a wrong clock, and is ignored.
func (s *Service) isInBackoff(item *dueItem) bool {
	left := item.byName.Deferrals().Until.Sub(s.Queue.Now)
	return left > 0 && left <= retries.Max
}

// isSnoozed reports whether the reminder was snoozed to a later day, and a crash came
// before the move.
func (d *dueItem) isSnoozed() bool { return d.entry.Day.String() < d.byName.Snoozed }

// isDone reports whether the reminder was sent or cancelled: a crash came between the
// record and the removal, or the commit had a reminder under another name. For a
// trusted message the queue has already compared the claims about its commit.
func (d *dueItem) isDone() bool {
	if d.why != nil { // see unexplained
		return false
	}
	byKey := &d.commit.All
	if !d.isForgeable() {
		byKey = &d.commit.Trusted
	}
	return d.byName.Done || byKey.Done && d.byName.Snoozed == ""
}

// isForgeable reports whether anybody can have written the message of an item.
func (d *dueItem) isForgeable() bool { return commit.Forgeable(d.event.Source) }
