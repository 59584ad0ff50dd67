package history

import "time"

// A Standing is what the history says about one message or one commit.
type Standing struct {
	Done     bool   // sent or cancelled, and not snoozed since
	Queued   *Event // the last time it was given a day; nil if never
	Snoozed  string // the day it was snoozed to, if that was the last word
	Branches []string
	Deferrals
}

// Deferrals count the attempts to send that failed and may yet succeed.
type Deferrals struct {
	Count int       // since it was given its day, or put back
	First time.Time // when the first was
	Until time.Time // not to be tried again before
	Why   string    // the last failed
}

// take brings the standing up to date with the next event.
func (s *Standing) take(e *Event) {
	switch e.Kind {
	case Queued:
		queued := *e
		s.Queued = &queued
	case Also:
		s.Branches = append(s.Branches, e.Branch)
	case Sent, Cancelled:
		s.Done, s.Snoozed, s.Deferrals = true, "", Deferrals{}
	case Snoozed:
		if s.Queued == nil { // before it was given a day
			snoozed := *e
			s.Queued = &snoozed
		}
		s.Done, s.Snoozed, s.Deferrals = false, e.Due, Deferrals{}
	case Retried:
		s.Deferrals = Deferrals{}
	case Deferred:
		if s.Count++; s.First.IsZero() {
			s.First = e.Time
		}
		s.Until, _ = time.Parse(time.RFC3339, e.Until)
		s.Why = e.Reason
	}
}

// A Knowledge is what the history says about the names and keys asked for.
type Knowledge struct {
	names, keys map[string]*Standing
}

// Name returns the standing of the message of that name.
func (k *Knowledge) Name(name string) *Standing { return standing(k.names, name) }

// Key returns the standing of the commit with that key, under whatever names
// it came.
func (k *Knowledge) Key(key string) *Standing { return standing(k.keys, key) }

func standing(m map[string]*Standing, key string) *Standing {
	if s := m[key]; s != nil && key != "" {
		return s
	}
	return new(Standing)
}

// Know reads the history and returns what it says about the messages and
// commits asked for. What it remembers grows with those, not with the history.
func (h History) Know(names, keys []string) (*Knowledge, error) {
	k := &Knowledge{names: map[string]*Standing{}, keys: map[string]*Standing{}}
	for _, name := range names {
		k.names[name] = nil
	}
	for _, key := range keys {
		k.keys[key] = nil
	}
	take := func(m map[string]*Standing, key string, e *Event) {
		s, asked := m[key]
		if !asked || key == "" {
			return
		}
		if s == nil {
			s = new(Standing)
			m[key] = s
		}
		s.take(e)
	}
	_, err := h.Scan(func(e *Event) {
		take(k.names, e.Name, e)
		take(k.keys, e.Key, e)
	})
	return k, err
}
