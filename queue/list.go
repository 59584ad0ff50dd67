package queue

import (
	"cmp"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
)

// Places where a message can be.
const (
	InSpool      = "spool"
	InQueue      = "queue"
	InQuarantine = "failed"
	InDone       = "done" // sent, cancelled, or ignored by the policy
	InSent       = "sent" // no directory: sent, according to the history
)

// An Item is a message in a list: where it is, and what the history has about it.
type Item struct {
	*history.Event
	Name   string
	Place  string
	Day    calendar.Day       // for InQueue and InSent
	Reason string             // why it is quarantined, or can't be read
	Tried  *history.Deferrals // nil before the first attempt to send
	Gone   string             // why the commit is no longer in its repository
	Limit  *history.Event     // by which it is held until the next day; nil when it is not
	Held   bool               // it waits in the spool for another source of its commit

	SupersededBy string // the revision that it was amended or rebased to, see Successor

	dir string // of the message, "" when that is not kept
}

// Until returns until when the item is held by its Limit.
func (i *Item) Until() time.Time {
	until, _ := time.Parse(time.RFC3339, i.Limit.Until)
	return until
}

// Short names the commit of the item: its revision, else the message's name.
func (i *Item) Short() string { return cmp.Or(commit.ShortRevision(i.Revision), i.Name) }

// MarshalJSON returns the item for programs, days as YYYY-MM-DD.
func (i *Item) MarshalJSON() ([]byte, error) {
	var until, sent time.Time
	var why, askedBy string
	if i.Kind == history.Queued { // by nobody, unless it was asked for after the commit
		askedBy = i.By
	}
	if i.Limit != nil {
		until, why = i.Until(), i.Limit.Reason
	}
	if i.Place == InSent {
		sent = i.Time
	}
	return json.Marshal(struct {
		Name       string    `json:"name"`
		Place      string    `json:"place"`
		Due        string    `json:"due,omitempty"`
		Committer  string    `json:"committer,omitempty"`
		Address    string    `json:"address,omitempty"`
		Repository string    `json:"repository,omitempty"`
		Branch     string    `json:"branch,omitempty"`
		Revision   string    `json:"revision,omitempty"`
		Subject    string    `json:"subject,omitempty"`
		Asked      string    `json:"asked,omitempty"`
		AskedBy    string    `json:"asked_by,omitempty"`
		Reason     string    `json:"reason,omitempty"`
		Source     string    `json:"source,omitempty"`
		Gone       string    `json:"gone,omitempty"`
		HeldUntil  time.Time `json:"held_until,omitzero"`
		HeldWhy    string    `json:"held_why,omitempty"`
		Sent       time.Time `json:"sent,omitzero"`
		Path       string    `json:"path,omitempty"`
		Superseded string    `json:"superseded_by,omitempty"`
	}{
		i.Name, i.Place, i.Day.ISO(), i.Committer, i.Address, i.Repository, i.Branch,
		i.Revision, i.Subject, i.Asked, askedBy, i.Reason, i.Source, i.Gone, until, why, sent, i.File(), i.SupersededBy,
	})
}

// IsKept reports whether the message of the item is still kept.
func (i *Item) IsKept() bool { return i.dir != "" }

// File returns the path of the message, for people to read; "" when that is not kept.
func (i *Item) File() string {
	if i.dir == "" {
		return ""
	}
	return filepath.Join(i.dir, i.Name)
}

// Entry returns the item as an entry of the queue.
func (i *Item) Entry() Entry { return Entry{Name: i.Name, Day: i.Day, dir: i.dir} }

// Waiting returns the messages in the queue, earliest day first. The history has all
// that a list shows; a message is read only when the history does not know it.
func (q *Queue) Waiting() ([]Item, error) {
	entries, err := q.Entries(calendar.Day{})
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	known, knowErr := q.History.Lookup(names, nil)
	if knowErr != nil {
		return nil, errors.Join(err, knowErr)
	}
	return q.items(entries, known), err
}

func (q *Queue) items(entries []Entry, known *history.Index) []Item {
	items := make([]Item, 0, len(entries))
	for _, e := range entries {
		item := Item{Name: e.Name, Place: InQueue, Day: e.Day, dir: e.dir}
		state := known.Name(e.Name)
		item.fill(q, state.Queued)
		item.Event.Name = item.Name // share one string
		item.Tried = state.Tried
		if _, held := HeldUntil(state.Limited, q.Now); held {
			item.Limit = state.Limited
		}
		if gone := state.Vanished; gone != nil && known.Commit(item.Key).All.Vanished != nil { // nor came back under another name
			item.Gone = gone.Reason
		}
		items = append(items, item)
	}
	return items
}

const maxHeld = 2 * 24 * time.Hour

// HeldUntil returns until when a reminder is held, given its last history.Limited event,
// and false when it is not. An event of more than maxHeld ahead was recorded with a
// wrong clock.
func HeldUntil(limited *history.Event, now time.Time) (until time.Time, held bool) {
	if limited == nil {
		return until, false
	}
	until, err := time.Parse(time.RFC3339, limited.Until)
	return until, err == nil && until.After(now) && until.Sub(now) <= maxHeld
}

// fill sets the event of the item to the one that queued it, or else makes one from
// the message.
func (i *Item) fill(q *Queue, queued *history.Event) {
	if i.Event = queued; queued != nil {
		return
	}
	e := history.Event{Name: i.Name}
	if m, err := q.Read(i.Entry()); err == nil {
		e = q.Describe(i.Name, m)
	} else if i.Reason == "" {
		i.Reason = err.Error()
	}
	e.Due = i.Day.String()
	i.Event = &e
}

// Spooled returns the messages in the spool, which the next run schedules.
func (q *Queue) Spooled() ([]Item, error) {
	files, err := q.Spool.Requests()
	var items []Item
	for _, f := range files {
		if strayReason(f) == "" {
			item := Item{Name: f.Name(), Place: InSpool, dir: q.Spool.Dir()}
			item.fill(q, nil)
			if info, err := f.Info(); err == nil && item.Source == commit.FromMail {
				item.Held = q.isYoung(info.ModTime())
			}
			items = append(items, item)
		}
	}
	return items, err
}

// Done returns the messages that are kept after their reminder.
func (q *Queue) Done() ([]Item, error) {
	days, err := readDir(q.done())
	var items []Item
	for _, day := range days {
		files, dirErr := readDir(filepath.Join(q.done(), day.Name()))
		err = errors.Join(err, dirErr)
		for _, f := range files {
			item := Item{Name: f.Name(), Place: InDone, dir: filepath.Join(q.done(), day.Name())}
			item.fill(q, nil)
			items = append(items, item)
		}
	}
	return items, err
}

// Sent returns the reminders that were sent, in order, from the history. A reminder
// that was snoozed and sent again is in the list twice.
func (q *Queue) Sent() ([]Item, error) {
	var items []Item
	_, err := q.History.Scan(func(e *history.Event) {
		sent := *e
		item := Item{Event: &sent, Name: e.Name, Place: InSent}
		item.Day, _ = calendar.Parse(e.Due)
		item.Reason = e.Reason
		items = append(items, item)
	}, history.Sent)
	return items, err
}

// ErrNotFound and ErrAmbiguous are returned for an ID that names no message, or
// several.
var (
	ErrNotFound  = errors.New("no such reminder")
	ErrAmbiguous = errors.New("more than one reminder")
)

// minPrefix is how many digits of a hash are enough to name a commit.
const minPrefix = 4

// places returns the lists of messages, in the order in which Find searches them.
func (q *Queue) places() []func() ([]Item, error) {
	waiting := func() ([]Item, error) {
		entries, err := q.Entries(calendar.Day{})
		known, keptErr := q.kept()
		if keptErr != nil {
			return nil, keptErr
		}
		return q.items(entries, known), err
	}
	return []func() ([]Item, error){waiting, q.Spooled, q.Quarantined, q.Done}
}

// Find returns the item that an ID means, alone in the slice: the message of that name,
// or the one whose revision begins with it. It considers only the items for which counts
// is true, or all when counts is nil, and searches the lists in the order of places. With
// ErrAmbiguous it returns all items that the ID could mean. Other errors are ErrNotFound
// and those of the machine. An item that is not kept is a commit that was amended or
// rebased, see Successor.
func (q *Queue) Find(id string, counts func(*Item) bool) ([]Item, error) {
	for _, list := range append(q.places(), q.superseded) {
		items, err := list()
		if err != nil {
			return nil, err
		}
		var found []Item
		for _, item := range items {
			if counts != nil && !counts(&item) {
				continue
			}
			if item.Name == id {
				return []Item{item}, nil
			}
			if item.isRevision(id) {
				found = append(found, item)
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return found, nil
		default:
			return found, ErrAmbiguous
		}
	}
	return nil, ErrNotFound
}

// Is reports whether an ID can mean the item: its name, or its revision.
func (i *Item) Is(id string) bool { return id != "" && i.Name == id || i.isRevision(id) }

// isRevision reports whether id is the item's revision: a prefix of a hash, or a whole
// number with its r or without. For an item without a revision, it can be a prefix of
// the name.
func (i *Item) isRevision(id string) bool {
	if id == "" || i.Revision == id || i.Revision == "r"+id {
		return id != ""
	}
	if len(id) < minPrefix {
		return false
	}
	if i.Revision == "" {
		return strings.HasPrefix(i.Name, id)
	}
	return commit.IsHex(i.Revision) && strings.HasPrefix(i.Revision, strings.ToLower(id))
}
