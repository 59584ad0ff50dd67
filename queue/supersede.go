package queue

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
)

// waitForSuccessor is how long a commit that is gone waits until its successor is
// queued.
const waitForSuccessor = 60 * 24 * time.Hour

// Supersede merges the reminders of commits that are gone with those of their
// successors, whichever came first. When both are in the queue, the reminder of the
// old commit is removed, and its snooze applies to the new commit. When the reminder of
// the old commit was sent or cancelled, the successor gets none. gone has the key of each
// old commit, and in Successor the revision that replaced it; commits without a Successor
// are ignored. Supersede returns the commits whose successor is not known yet.
func (q *Queue) Supersede(gone []history.Event, known *history.Index) (left []history.Event, err error) {
	s := supersession{queue: q, known: known, states: map[string]*history.State{}}
	if s.waiting, err = q.waiting(); err != nil {
		return nil, err
	}
	for i := range gone {
		if e := &gone[i]; e.Successor != "" && !s.decide(e) && q.Now.Sub(e.Time) < waitForSuccessor {
			left = append(left, *e)
		}
	}
	return left, s.apply()
}

// GoneKeys returns the keys of commits that are gone, and of their successors, of which
// Supersede needs the index.
func GoneKeys(gone []history.Event) (keys []string) {
	for i := range gone {
		if keys = append(keys, gone[i].Key); gone[i].Successor != "" {
			keys = append(keys, successorKey(&gone[i]))
		}
	}
	return keys
}

func successorKey(e *history.Event) string {
	repository, _ := commit.CutKey(e.Key)
	return commit.MakeKey(repository, e.Successor)
}

// A supersession collects events and moves, and applies them at the end.
type supersession struct {
	queue   *Queue
	known   *history.Index
	states  map[string]*history.State // with what is to be recorded
	waiting map[string]calendar.Day
	events  []history.Event
	moves   []func() error
}

// state returns the state of a commit, including the events that are to be
// recorded.
func (s *supersession) state(key string) *history.State {
	if s.states[key] == nil {
		state := *s.known.Commit(key).Believed()
		s.states[key] = &state
	}
	return s.states[key]
}

// pair returns the states of a commit that is gone and of its successor. The claims of a
// commit that only forgeable sources brought count in two cases: neither commit has
// another source, or the claims can't harm the other commit. A forged mail about one commit
// must not cancel the reminder of the other.
func (s *supersession) pair(oldKey, newKey string) (was, is *history.State) {
	was, is = s.state(oldKey), s.state(newKey)
	oldClaim, newClaim := s.known.Commit(oldKey).Claimed, s.known.Commit(newKey).Claimed
	switch isFailed := s.known.Commit(newKey).Trusted.Failed != nil; {
	case was.IsKnown() && !is.IsKnown() && !isFailed && isFor(&newClaim, was):
		is = &newClaim
	case !was.IsKnown() && is.IsKnown() && (!oldClaim.Done || isFor(&oldClaim, is)):
		was = &oldClaim
	case !was.IsKnown() && !is.IsKnown() && !isFailed && oldClaim.IsKnown() && newClaim.IsKnown():
		was, is = &oldClaim, &newClaim
	}
	s.states[oldKey], s.states[newKey] = was, is
	return was, is
}

// isFor reports whether a claim about one commit was for the recipient of another. If the
// claim was sent, it must not have been sent before the other commit was due.
func isFor(claim, other *history.State) bool {
	if !claim.IsKnown() || other.Queued == nil {
		return false
	}
	r := requestOf(claim)
	return strings.EqualFold(r.address, other.Queued.Address) && !(claim.Sent && r.due.String() < other.Queued.Due)
}

// decide decides about one commit that is gone. It returns false if it can't yet.
func (s *supersession) decide(e *history.Event) bool {
	newKey := successorKey(e)
	was, is := s.pair(e.Key, newKey)
	if is.Moved && !was.Done { // it was amended, and is back in the repository
		s.restore(is, e, newKey)
	}
	wasName, isWaiting := s.waits(was), s.waits(is) != ""
	oldShort, newShort := commit.ShortRevision(e.Revision), commit.ShortRevision(e.Successor)
	switch {
	case was.Moved, is.Moved: // decided before, or the message is no longer kept
		return true
	case was.Done && (is.Done || is.Snoozed != ""):
		return true
	case was.Done:
		name := s.waits(is)
		s.record(is, history.Event{
			Kind: history.Superseded, Key: newKey, Revision: e.Successor,
			Reason: "amended or rebased from " + oldShort + ", whose reminder was sent or cancelled",
		}, e)
		s.finish(name)
		return true
	case was.Handed != nil || was.Fallback || was.Deferrals().Taken > 0 || !isWaiting && !is.Done: // being sent; or no reminder would be left
		return false
	}
	if isWaiting {
		s.record(is, history.Event{
			Kind: history.Supersedes, Key: newKey, Revision: e.Successor,
			Reason: oldShort + ", which was amended or rebased to it",
		}, e)
		if day, err := calendar.Parse(was.Snoozed); err == nil && is.Snoozed == "" {
			s.record(is, history.Event{Kind: history.Snoozed, Key: newKey, Due: day.String(), Reason: "as " + oldShort + " was"}, e)
			s.move(is.Queued.Name, day)
		}
	}
	if wasName == "" {
		wasName = s.finishQuarantined(e.Key)
	}
	s.record(was, history.Event{
		Kind: history.Superseded, Name: wasName, Key: e.Key, Revision: e.Revision, Successor: e.Successor,
		Reason: "amended or rebased to " + newShort,
	}, e)
	s.finish(wasName)
	return true
}

// restore puts a reminder back into the queue that was removed in favour of another
// commit, if its message is still kept.
func (s *supersession) restore(state *history.State, e *history.Event, key string) {
	items, _ := s.queue.Done() // an unreadable one is not restored
	for i := range items {
		item := &items[i]
		if state.Queued == nil || item.Name != state.Queued.Name || isIn(s.waiting, item.Name) {
			continue
		}
		day, err := calendar.Parse(state.Queued.Due)
		if err != nil {
			day = s.queue.Today()
		}
		s.record(state, history.Event{Kind: history.Queued, Key: key, Due: day.String(), Reason: "the repository has it again"}, e)
		s.waiting[item.Name] = day
		s.moves = append(s.moves, func() error { return s.queue.move(item.Entry(), day) })
	}
}

// finishQuarantined removes the quarantined message of a commit, and returns its name,
// "" when there is none.
func (s *supersession) finishQuarantined(key string) (name string) {
	items, _ := s.queue.Quarantined() // an unreadable one stays
	for i := range items {
		item := &items[i]
		if !commit.SameCommit(s.queue.History.CanonicalKey(item.Key), key) {
			continue
		}
		name = item.Name
		s.moves = append(s.moves, func() error {
			return errors.Join(s.queue.Finish(item.Entry()), s.queue.tidy(item.Entry()))
		})
	}
	return name
}

// waits returns the name of a commit's message in the queue, "" when there is none.
func (s *supersession) waits(state *history.State) string {
	if state.Queued != nil && !state.Done && isIn(s.waiting, state.Queued.Name) {
		return state.Queued.Name
	}
	return ""
}

// record adds an event about a commit, with the fields of its queued event.
func (s *supersession) record(state *history.State, e history.Event, gone *history.Event) {
	all := history.Event{Repository: gone.Repository, Branch: gone.Branch, Source: commit.FromFollow}
	if state.Queued != nil {
		all = *state.Queued
	}
	all.Time, all.Kind, all.Key, all.Reason, all.Successor = history.Stamp(s.queue.Now), e.Kind, e.Key, e.Reason, e.Successor
	all.Name, all.Revision, all.Due, all.By = cmp.Or(all.Name, e.Name), cmp.Or(all.Revision, e.Revision), e.Due, ""
	state.Take(&all)
	s.events = append(s.events, all)
}

func (s *supersession) finish(name string) {
	day, ok := s.waiting[name]
	if !ok {
		return
	}
	delete(s.waiting, name)
	s.moves = append(s.moves, func() error {
		return errors.Join(s.queue.Finish(s.queue.entry(day, name)), s.queue.SyncDay(day))
	})
}

func (s *supersession) move(name string, day calendar.Day) {
	old := s.waiting[name]
	if s.waiting[name] = day; old == day {
		return
	}
	s.moves = append(s.moves, func() error { return s.queue.move(s.queue.entry(old, name), day) })
}

// apply records all events, and then moves the messages. After a crash between the
// two, no superseded reminder is sent.
func (s *supersession) apply() error {
	if len(s.events) == 0 {
		return nil
	}
	if err := s.queue.prepare(); err != nil {
		return err
	}
	if err := s.queue.History.Append(s.events...); err != nil {
		return err
	}
	var errs []error
	for _, move := range s.moves {
		errs = append(errs, move())
	}
	return errors.Join(errs...)
}

// Successor returns the item that replaces one whose commit was amended or rebased,
// the last one of several. It is nil when the commit was not amended, and when counts
// is false for the successor. Successor sets SupersededBy of the item. A quarantined
// message has no successor.
func (q *Queue) Successor(item *Item, counts func(*Item) bool) (*Item, error) {
	if item.Place == InQuarantine {
		return nil, nil
	}
	known, err := q.kept(item.Name)
	if err != nil {
		return nil, err
	}
	key := q.History.CanonicalKey(item.Key)
	for seen := []string(nil); !slices.Contains(seen, key); {
		seen = append(seen, key)
		if revision, successor := known.Successor(key); revision != "" {
			item.SupersededBy, key = revision, successor
		}
	}
	if item.SupersededBy == "" {
		return nil, nil
	}
	return q.findKey(key, known.MovedName(key), counts)
}

// findKey returns the item of a commit. It prefers the one with a name, because others
// may only claim to be the same commit.
func (q *Queue) findKey(key, name string, counts func(*Item) bool) (found *Item, err error) {
	for _, list := range q.places() {
		items, err := list()
		if err != nil {
			return nil, err
		}
		for i := range items {
			item := &items[i]
			switch {
			case !commit.SameCommit(q.History.CanonicalKey(item.Key), key) || !counts(item):
			case item.Name == name:
				return item, nil
			case found == nil:
				found = item
			}
		}
	}
	return found, nil
}

// superseded returns the commits that were amended or rebased, from the history alone,
// because their messages may be no longer kept.
func (q *Queue) superseded() ([]Item, error) {
	known, err := q.kept()
	var items []Item
	for _, e := range known.Moved() {
		items = append(items, Item{Event: e, Name: e.Name, Place: InDone})
	}
	return items, err
}

// lookup looks up the message of an item in the history. The error moved says that its
// commit was amended, so that a second reminder must not be made.
func (q *Queue) lookup(item *Item) (byName *history.State, moved, err error) {
	known, err := q.kept(item.Name)
	if err != nil {
		return nil, nil, err
	}
	byName = known.Name(item.Name)
	revision, _ := known.Successor(item.Key)
	if byName.Moved {
		revision = byName.Ended.Successor
	}
	if revision != "" {
		moved = fmt.Errorf("%s was amended or rebased to %s, and has no reminder of its own", item.Short(), commit.ShortRevision(revision))
	}
	return byName, moved, nil
}

// Events returns the events of a message, in their order.
func (q *Queue) Events(name string) ([]history.Event, error) {
	known, err := q.kept(name)
	if err != nil {
		return nil, err
	}
	return known.Events(name), nil
}

// kept returns the index of all messages that are kept, and of others. The queue keeps
// the index, which reads only what was appended since the last time.
func (q *Queue) kept(others ...string) (*history.Index, error) {
	names, err := q.keptNames()
	if err != nil {
		return nil, err
	}
	x := q.History.NewIndex()
	x.Add(append(names, others...), nil)
	if q.index == nil || !q.index.Covers(x) {
		q.index = x
		x.KeepEvents()
	}
	return q.index, q.index.Fill()
}

func (q *Queue) keptNames() (names []string, err error) {
	dirs := []string{q.Spool.Dir(), q.failed()}
	for _, parent := range []string{q.dir(), q.done()} {
		days, dirErr := readDir(parent)
		err = errors.Join(err, dirErr)
		for _, day := range days {
			if day.IsDir() {
				dirs = append(dirs, filepath.Join(parent, day.Name()))
			}
		}
	}
	for _, dir := range dirs {
		files, dirErr := readDir(dir)
		err = errors.Join(err, dirErr)
		for _, f := range files {
			names = append(names, f.Name())
		}
	}
	return names, err
}
