package history

import (
	"time"

	"vext/internal/commit"
)

// A State is what the history says about one message or one commit.
type State struct {
	Done     bool   // sent, cancelled or passed, and not snoozed since
	Sent     bool   // and of these, sent
	Moved    bool   // or its reminder is that of its successor, unless it comes back
	Queued   *Event // the last time it was given a day; nil if never
	Snoozed  string // the day it was snoozed to, if that was the last word
	PutOff   *Event // by which it was snoozed to that day
	Branches []string
	Ended    *Event     // by which it was Done; nil when it is not
	Vanished *Event     // the commit is no longer on its branch; nil when it is
	Tried    *Deferrals // nil when it was not tried to be sent
	Limited  *Event     // its recipient has had the day's maximum; nil when it has not
	Failed   bool       // it was set aside, and not put back since
	Repeated bool       // it came again, and said the same
	Lines    []Line     // for IRC, of all days
}

// Deferrals count the attempts to send that failed and may yet succeed.
type Deferrals struct {
	Count int       // since it was given its day, or put back
	Taken int       // of these, those of which a server may have taken the mail
	First time.Time // when the first was
	Until time.Time // not to be tried again before
	Why   string    // the last failed
}

// Take updates the standing with an event that was appended after it was read. It
// keeps the event.
func (s *State) Take(e *Event) { s.take(e) }

// take brings the standing up to date with the next event, and keeps it.
func (s *State) take(e *Event) {
	s.takeLines(e)
	switch e.Kind {
	case Queued:
		s.Queued, s.Vanished, s.Failed = e, nil, false
		if s.Moved { // it was brought back
			s.Done, s.Moved, s.Ended = false, false, nil
		}
	case OnBranch:
		s.Repeated = true
		s.Branches, s.Vanished = append(s.Branches, e.Branch), nil
	case Duplicate:
		s.Repeated = true
		if e.Source == commit.FromHook || e.Source == commit.FromFollow {
			s.Vanished = nil // the repository has it again
		}
	case Vanished:
		s.Vanished = e
	case Failed:
		s.Failed = true
	case Sent, Cancelled, Missed, Replaced: // the last has no key: its commit waits under another name
		if s.wasSnoozedSince(e) {
			return
		}
		s.Done, s.Sent, s.Moved, s.Ended, s.Snoozed, s.PutOff, s.Tried, s.Limited = true, e.Kind == Sent, false, e, "", nil, nil, nil
	case Superseded:
		s.Done, s.Sent, s.Moved, s.Ended, s.Snoozed, s.PutOff, s.Tried, s.Limited = true, false, e.Successor != "", e, "", nil, nil, nil
	case Snoozed:
		if s.Queued == nil { // before it was given a day
			s.Queued = e
		}
		s.Done, s.Sent, s.Moved, s.Ended, s.Snoozed, s.PutOff, s.Tried, s.Limited, s.Failed = false, false, false, nil, e.Due, e, nil, nil, false
	case Retried:
		s.Tried, s.Limited, s.Failed = nil, nil, false
	case Limited:
		s.Limited = e
	case Deferred, Unconfirmed:
		s.takeDeferral(e)
	}
}

// wasSnoozedSince reports whether a reminder was sent and then snoozed, although
// the two events stand in the opposite order. An earlier version put each event
// into the file of its own year, so that events recorded with a clock that was
// ahead stand behind later ones.
func (s *State) wasSnoozedSince(sent *Event) bool {
	return sent.Kind == Sent && s.Snoozed != "" && sent.Due != "" && sent.Due < s.Snoozed && s.Queued != nil && s.Queued.Name == sent.Name
}

func (s *State) takeDeferral(e *Event) {
	if s.Tried == nil {
		s.Tried = &Deferrals{First: e.Time}
	}
	d := s.Tried
	if d.Count++; e.Kind == Unconfirmed {
		d.Taken++
	}
	if e.Time.Before(d.First) { // the clock was ahead
		d.First = e.Time
	}
	d.Until, _ = time.Parse(time.RFC3339, e.Until)
	d.Why = e.Reason
}

// Deferrals returns the attempts to send that failed, none when there were
// none.
func (s *State) Deferrals() Deferrals {
	if s.Tried == nil {
		return Deferrals{}
	}
	return *s.Tried
}

// IsKnown reports whether the commit was given a day, or is done.
func (s *State) IsKnown() bool { return s.Queued != nil || s.Done }

// A Index is what the history says about the names and keys asked for.
type Index struct {
	names, keys, trusted, claimed map[string]*State
}

// Name returns the standing of the message of that name.
func (k *Index) Name(name string) *State { return standing(k.names, name) }

// Key returns the standing of the commit with that key, under whatever names
// it came.
func (k *Index) Key(key string) *State { return standing(k.keys, key) }

// Trusted returns the standing of the commit with that key, from only those events
// that are about messages that nobody can have forged. Only KnowSources reads it.
func (k *Index) Trusted(key string) *State { return standing(k.trusted, key) }

// Believed returns the standing of the commit with that key that can be believed:
// Trusted, or Key where a trusted source has confirmed what a mail said. Only
// KnowSources reads it.
func (k *Index) Believed(key string) *State {
	if trusted := k.Trusted(key); trusted.IsKnown() || !trusted.Repeated {
		return trusted
	}
	return k.Key(key)
}

// Preferred returns Trusted when that is known, or else Key. Only LookupSources reads it.
func (k *Index) Preferred(key string) *State {
	if trusted := k.Trusted(key); trusted.IsKnown() {
		return trusted
	}
	return k.Key(key)
}

// Claimed returns the standing of the commit with that key from all other events,
// which are about messages that anybody can have written. Only KnowSources reads it.
func (k *Index) Claimed(key string) *State { return standing(k.claimed, key) }

func standing(m map[string]*State, key string) *State {
	if s := m[key]; s != nil && key != "" {
		return s
	}
	return new(State)
}

// take tells the standing of key of an event.
func take(m map[string]*State, key string, e *Event) {
	s := m[key]
	if key == "" {
		return
	}
	if s == nil {
		s = new(State)
		m[key] = s
	}
	s.take(e)
}

// Lookup reads the history and returns what it says about the messages and
// commits asked for. What it remembers grows with those, not with the history.
// It also calls also with every event.
func (h History) Lookup(names, keys []string, also ...func(*Event)) (*Index, error) {
	return h.know(names, keys, false, also)
}

// LookupSources is Know that also keeps apart what is trusted and what is claimed of
// each commit. It needs twice the memory.
func (h History) LookupSources(names, keys []string, also ...func(*Event)) (*Index, error) {
	return h.know(names, keys, true, also)
}

func (h History) know(names, keys []string, sources bool, also []func(*Event)) (*Index, error) {
	k := &Index{names: map[string]*State{}, keys: map[string]*State{}}
	if sources {
		k.trusted, k.claimed = map[string]*State{}, map[string]*State{}
	}
	for _, name := range names {
		k.names[name] = nil
	}
	var asked commit.Index[string] // for the keys
	for _, key := range keys {
		if _, twice := k.keys[key]; key != "" && !twice {
			k.keys[key] = nil
			asked.Add(key, key)
		}
	}
	_, err := h.Scan(func(e *Event) {
		for _, fn := range also {
			fn(e)
		}
		var kept *Event // one copy, for all that keep it
		keep := func() *Event {
			if kept == nil {
				event := *e
				kept = &event
			}
			return kept
		}
		if _, asked := k.names[e.Name]; asked {
			take(k.names, e.Name, keep())
		}
		if e.Key != "" && len(keys) > 0 {
			asked.Find(h.CanonicalKey(e.Key), func(key string) bool {
				take(k.keys, key, keep())
				switch {
				case !sources:
				case commit.Forgeable(e.Source):
					take(k.claimed, key, keep())
				default:
					take(k.trusted, key, keep())
				}
				return true
			})
		}
	})
	return k, err
}

// CanonicalKey returns a key with the name that its repository has today: the history
// may know it by one that became an alias since.
func (h History) CanonicalKey(key string) string {
	if h.Repository == nil {
		return key
	}
	repository, revision := commit.CutKey(key)
	return commit.MakeKey(h.Repository(repository), revision)
}
