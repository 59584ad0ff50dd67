package queue

import (
	"strings"

	"vext/internal/disk"
	"vext/internal/history"
	"vext/spool"
)

// Quarantine records event with the reason, and moves an entry to failed/.
func (q *Queue) Quarantine(e Entry, event history.Event, reason string) error {
	event.Time, event.Kind, event.Name, event.Reason = history.Stamp(q.Now), history.Failed, e.Name, reason
	if err := q.History.Append(event); err != nil {
		return err
	}
	return q.Spool.Quarantine(e.path(), e.Name, reason)
}

// QuarantinedEntries returns all that is quarantined, by name, as entries without a day.
func (q *Queue) QuarantinedEntries() ([]Entry, error) {
	files, err := readDir(q.failed())
	var entries []Entry
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), spool.WhySuffix) {
			entries = append(entries, Entry{Name: f.Name(), dir: q.failed()})
		}
	}
	return entries, err
}

// Quarantined returns the quarantined messages, with their reasons.
func (q *Queue) Quarantined() ([]Item, error) {
	entries, err := q.QuarantinedEntries()
	items := make([]Item, len(entries))
	for i, e := range entries {
		why, _ := disk.ReadFile(e.path() + spool.WhySuffix)
		items[i] = Item{Name: e.Name, Place: InQuarantine, dir: e.dir, Reason: strings.TrimSpace(string(why)), Event: &history.Event{Name: e.Name}}
		if spool.IsName(e.Name) {
			items[i].fill(q, nil)
		}
	}
	return items, err
}
