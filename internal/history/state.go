package history

import (
	"time"

	"vext/internal/commit"
)

// A Standing is what the history says about one message or one commit.
type Standing struct {
	Done     bool   // sent, cancelled or passed, and not snoozed since
	Sent     bool   // and of these, sent
	Queued   *Event // the last time it was given a day; nil if never
	Snoozed  string // the day it was snoozed to, if that was the last word
	Branches []string
	Vanished *Event     // the commit is no longer on its branch; nil when it is
	Tried    *Deferrals // nil when it was not tried to be sent
	Lines    []Line     // for IRC, of all days
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
	s.takeLines(e)
	switch e.Kind {
	case Queued:
		queued := *e
		s.Queued, s.Vanished = &queued, nil
	case Also:
		s.Branches, s.Vanished = append(s.Branches, e.Branch), nil
	case Duplicate:
		if e.Source == commit.FromHook || e.Source == commit.FromFollow {
			s.Vanished = nil // the repository has it again
		}
	case Vanished:
		vanished := *e
		s.Vanished = &vanished
	case Sent, Cancelled, Passed, Replaced: // the last has no key: its commit waits under another name
		s.Done, s.Sent, s.Snoozed, s.Tried = true, e.Kind == Sent, "", nil
	case Snoozed:
		if s.Queued == nil { // before it was given a day
			snoozed := *e
			s.Queued = &snoozed
		}
		s.Done, s.Sent, s.Snoozed, s.Tried = false, false, e.Due, nil
	case Retried:
		s.Tried = nil
	case Deferred:
		if s.Tried == nil {
			s.Tried = &Deferrals{First: e.Time}
		}
		s.Tried.Count++
		s.Tried.Until, _ = time.Parse(time.RFC3339, e.Until)
		s.Tried.Why = e.Reason
	}
}

// Deferrals returns the attempts to send that failed, none when there were
// none.
func (s *Standing) Deferrals() Deferrals {
	if s.Tried == nil {
		return Deferrals{}
	}
	return *s.Tried
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

// take tells the standing of key, if that was asked for, of an event.
func take(m map[string]*Standing, key string, e *Event) {
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

// Know reads the history and returns what it says about the messages and
// commits asked for. What it remembers grows with those, not with the history.
func (h History) Know(names, keys []string) (*Knowledge, error) {
	k := &Knowledge{names: map[string]*Standing{}, keys: map[string]*Standing{}}
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
		take(k.names, e.Name, e)
		if e.Key != "" && len(keys) > 0 {
			asked.Find(h.Known(e.Key), func(key string) bool {
				take(k.keys, key, e)
				return true
			})
		}
	})
	return k, err
}

// Known returns a key with the name that its repository has today: the history
// may know it by one that became an alias since.
func (h History) Known(key string) string {
	if h.Repository == nil {
		return key
	}
	repository, revision := commit.CutKey(key)
	return commit.MakeKey(h.Repository(repository), revision)
}
