package history

import (
	"bytes"

	"vext/internal/commit"
)

// An Index has the states of some messages and commits. Its memory grows with their
// number, not with the history.
type Index struct {
	history    History
	names      map[string]*State
	withCommit map[string]bool // the names whose commits are followed
	commits    map[string]*Commit
	keys       commit.Index[string] // of the commits
	moved      commit.Index[*moved] // of all commits, not only of those asked for
	allMoved   []*moved
	starts     map[string]bool     // the first digits of the revisions of keys and moved
	events     map[string][]*Event // of each name; nil unless asked for
	known      names
	at         Position // of the next event
}

// A Commit has the states of one commit, under whatever names it came.
type Commit struct {
	All     State // from all events
	Trusted State // from the events about messages that nobody can have forged
	Claimed State // from the other events
}

// Believed returns the state that can be believed: Trusted, or All when a trusted
// source has confirmed what a mail said.
func (c *Commit) Believed() *State {
	if c.Trusted.IsKnown() || !c.Trusted.Repeated {
		return &c.Trusted
	}
	return &c.All
}

// moved is what became of a commit that was amended or rebased, or to which another
// was.
type moved struct {
	State
	name, source string // of its message
}

// NewIndex returns an empty index.
func (h History) NewIndex() *Index {
	return &Index{
		history: h, names: map[string]*State{}, withCommit: map[string]bool{},
		commits: map[string]*Commit{}, starts: map[string]bool{}, known: map[string]string{},
	}
}

// Add adds messages and commits. When it adds any after a Fill, the next Fill reads the
// history anew.
func (x *Index) Add(names, keys []string) {
	if len(x.names) == 0 {
		x.names = make(map[string]*State, len(names))
	}
	for _, name := range names {
		x.addName(name)
	}
	for _, key := range keys {
		key = x.history.CanonicalKey(key)
		if _, has := x.commits[key]; !has {
			x.addKey(key)
			x.rewind()
		}
	}
}

// AddWithCommit adds a message as Add does. It also adds the commit of the message, once
// the event that gave the message its day is read.
func (x *Index) AddWithCommit(name string) {
	x.addName(name)
	if !x.withCommit[name] {
		x.withCommit[name] = true
		x.rewind()
	}
}

func (x *Index) addName(name string) {
	if _, has := x.names[name]; !has {
		x.names[name] = nil
		x.rewind()
	}
}

// rewind makes the next Fill begin at the beginning of the history.
func (x *Index) rewind() {
	if len(x.at.sums) > 0 {
		x.at = Position{}
		x.clear()
	}
}

// IsEmpty reports whether the index is about no message and no commit.
func (x *Index) IsEmpty() bool { return len(x.names)+len(x.commits) == 0 }

func (x *Index) addKey(key string) {
	if _, twice := x.commits[key]; key != "" && !twice {
		x.commits[key] = nil
		x.keys.Add(key, key)
		x.starts[start(key)] = true
	}
}

// start returns the first digits of the revision in a key. Keys of the same commit have
// the same.
func start(key string) string {
	_, revision := commit.CutKey(key)
	return revision[:min(len(revision), commit.Abbreviated)]
}

// KeepEvents makes the index keep the events of the messages, see Events.
func (x *Index) KeepEvents() { x.events = map[string][]*Event{} }

// Covers reports whether the index has all messages and commits of another.
func (x *Index) Covers(other *Index) bool {
	for name := range other.names {
		if _, has := x.names[name]; !has || other.withCommit[name] && !x.withCommit[name] {
			return false
		}
	}
	for key := range other.commits {
		if _, has := x.commits[key]; !has {
			return false
		}
	}
	return true
}

// Lookup reads the history once, and returns the index of messages and commits.
func (h History) Lookup(names, keys []string) (*Index, error) {
	x := h.NewIndex()
	x.Add(names, keys)
	return x, x.Fill()
}

// Fill reads what was appended since the last Fill; everything the first time, or when
// somebody has changed what was read before.
func (x *Index) Fill() (err error) {
	x.at, err = x.history.scan(x.at, x.clear, func(r *record) {
		if r == nil || !x.needs(r) {
			return
		}
		if e := new(Event); r.event(e, x.known) {
			x.take(e)
		}
	})
	return err
}

// clear forgets all events.
func (x *Index) clear() {
	for name := range x.names {
		x.names[name] = nil
	}
	for key := range x.commits {
		x.commits[key] = nil
	}
	clear(x.events)
	x.moved, x.allMoved = commit.Index[*moved]{}, nil
}

// Events returns the events of a message of the index, for which KeepEvents was called.
func (x *Index) Events(name string) []Event {
	events := make([]Event, len(x.events[name]))
	for i, e := range x.events[name] {
		events[i] = *e
	}
	return events
}

// needs reports whether a line may be about something in the index.
func (x *Index) needs(r *record) bool {
	if _, isAsked := x.names[string(r[fName])]; isAsked {
		return true
	}
	switch string(r[fKind]) {
	case Superseded, Supersedes:
		return true
	}
	if len(x.starts) == 0 {
		return false
	}
	revision := r[fKey][bytes.LastIndexByte(r[fKey], '@')+1:]
	return x.starts[string(revision[:min(len(revision), commit.Abbreviated)])]
}

// take updates the index with the next event, and keeps it.
func (x *Index) take(e *Event) {
	key := x.history.CanonicalKey(e.Key)
	if s, isAsked := x.names[e.Name]; isAsked && e.Name != "" {
		if s == nil {
			s = new(State)
			x.names[e.Name] = s
		}
		s.Take(e)
		if x.events != nil {
			x.events[e.Name] = append(x.events[e.Name], e)
		}
		if e.Kind == Vanished || x.withCommit[e.Name] && (e.Kind == Queued || e.Kind == Snoozed) {
			x.addKey(key) // whether the commit has returned is in its state
		}
	}
	x.keys.Find(key, func(key string) bool {
		c := x.commits[key]
		if c == nil {
			c = new(Commit)
			x.commits[key] = c
		}
		c.All.Take(e)
		if commit.Forgeable(e.Source) {
			c.Claimed.Take(e)
		} else {
			c.Trusted.Take(e)
		}
		return true
	})
	x.takeMoved(key, e)
}

// takeMoved updates what is known of commits that were amended or rebased. A forged
// message changes nothing of a commit that came from a trusted source.
func (x *Index) takeMoved(key string, e *Event) {
	m := x.movedOf(key)
	switch {
	case e.Kind != Superseded && e.Kind != Supersedes:
		if m != nil && (commit.Forgeable(m.source) || !commit.Forgeable(e.Source)) {
			m.Take(e)
		}
		return
	case m == nil:
		m = new(moved)
		x.moved.Add(key, m)
		x.allMoved = append(x.allMoved, m)
		x.starts[start(key)] = true
	}
	m.name, m.source = e.Name, e.Source
	m.Take(e)
}

func (x *Index) movedOf(key string) (found *moved) {
	x.moved.Find(key, func(m *moved) bool {
		found = m
		return false
	})
	return found
}

// Successor returns the revision that the commit with a key was amended or rebased to,
// and the key of that; "" for any other commit.
func (x *Index) Successor(key string) (revision, successor string) {
	m := x.movedOf(x.history.CanonicalKey(key))
	if m == nil || !m.Moved {
		return "", ""
	}
	repository, _ := commit.CutKey(key)
	return m.Ended.Successor, x.history.CanonicalKey(commit.MakeKey(repository, m.Ended.Successor))
}

// Moved returns the event of each commit that was amended or rebased.
func (x *Index) Moved() (events []*Event) {
	for _, m := range x.allMoved {
		if m.Moved {
			events = append(events, m.Ended)
		}
	}
	return events
}

// MovedName returns the name of the message of a commit that was amended or rebased, or
// to which another was; "" for any other commit.
func (x *Index) MovedName(key string) string {
	if m := x.movedOf(x.history.CanonicalKey(key)); m != nil {
		return m.name
	}
	return ""
}

// Narrow gives another index, which x covers, the states that x has.
func (x *Index) Narrow(to *Index) {
	for name := range to.names {
		to.names[name] = x.names[name]
	}
	for key := range to.commits {
		to.commits[key] = x.commits[key]
	}
	to.known, to.starts, to.moved, to.allMoved, to.at = x.known, x.starts, x.moved, x.allMoved, x.at
}

// Name returns the state of the message of that name.
func (x *Index) Name(name string) *State {
	if s := x.names[name]; s != nil && name != "" {
		return s
	}
	return new(State)
}

// Commit returns the states of the commit with that key.
func (x *Index) Commit(key string) *Commit {
	if c := x.commits[x.history.CanonicalKey(key)]; c != nil {
		return c
	}
	return new(Commit)
}

// CanonicalKey returns a key with the name that its repository has today: in the history
// it may have one that became an alias since.
func (h History) CanonicalKey(key string) string {
	if h.Repository == nil || key == "" {
		return key
	}
	repository, revision := commit.CutKey(key)
	return commit.MakeKey(h.Repository(repository), revision)
}
