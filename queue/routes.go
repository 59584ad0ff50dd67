package queue

import (
	"os"
	"slices"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
	"vext/internal/target"
)

// A Route says which way the reminders of some commits go: those whose person to
// be reminded, repository and branch match its patterns.
type Route struct {
	Committers, Repositories, Branches []string

	Mail    bool
	Targets []target.Target // on IRC
}

// RouteOf returns the way of the reminder of c: the first that matches, and the
// mail where none does. A commit chooses among the ways, and can't add one.
func (p *Policy) RouteOf(c *commit.Commit) Route {
	return p.way(p.Recipient(c).Email, c.Repository, c.Refname)
}

// RouteOfEvent is RouteOf for a reminder that only the history knows.
func (p *Policy) RouteOfEvent(e *history.Event) Route {
	return p.way(e.Address, e.Repository, "refs/heads/"+e.Branch)
}

func (p *Policy) way(address, repository, refname string) Route {
	for _, w := range p.Routes {
		if MatchAddress(w.Committers, address) && p.HasRepository(w.Repositories, repository) && MatchBranch(w.Branches, refname) {
			return w
		}
	}
	return Route{Mail: true}
}

// Has reports whether the way has a target on IRC, by its name without
// secrets.
func (w *Route) Has(name string) bool {
	return slices.ContainsFunc(w.Targets, func(t target.Target) bool { return t.String() == name })
}

// refuses returns why the reminder of c can't go its way, "" when it can. Who
// may be written to is about mails: the targets on IRC are the operator's own.
func (p *Policy) refuses(c *commit.Commit) string {
	if !p.RouteOf(c).Mail {
		return ""
	}
	return p.Refuses(p.Recipient(c), c.Source)
}

// Entry returns the entry of that day and name, and whether it waits.
func (q *Queue) Entry(day calendar.Day, name string) (Entry, bool) {
	e := q.entry(day, name)
	_, err := os.Lstat(e.Path)
	return e, err == nil
}
