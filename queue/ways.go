package queue

import (
	"os"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/target"
)

// A Way says which way the reminders of some commits go: those whose person to
// be reminded, repository and branch match its patterns.
type Way struct {
	Committers, Repositories, Branches []string

	Mail    bool
	Targets []target.Target // on IRC
}

// WayOf returns the way of the reminder of c: the first that matches, and the
// mail where none does. A commit chooses among the ways, and can't add one.
func (p *Policy) WayOf(c *commit.Commit) Way {
	for _, w := range p.Ways {
		if MatchAddress(w.Committers, p.Recipient(c).Email) && p.HasRepository(w.Repositories, c.Repository) && MatchBranch(w.Branches, c.Refname) {
			return w
		}
	}
	return Way{Mail: true}
}

// refuses returns why the reminder of c can't go its way, "" when it can. Who
// may be written to is about mails: the targets on IRC are the operator's own.
func (p *Policy) refuses(c *commit.Commit) string {
	if !p.WayOf(c).Mail {
		return ""
	}
	return p.Refuses(p.Recipient(c))
}

// Entry returns the entry of that day and name, and whether it waits.
func (q *Queue) Entry(day calendar.Day, name string) (Entry, bool) {
	e := q.entry(day, name)
	_, err := os.Lstat(e.Path)
	return e, err == nil
}
