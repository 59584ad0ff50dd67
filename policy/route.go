package policy

import (
	"slices"

	"vext/internal/commit"
	"vext/internal/history"
	"vext/internal/target"
)

// A Route says where reminders go for the commits whose recipient, repository and
// branch match its patterns.
type Route struct {
	Committers, Repositories, Branches []string

	Mail    bool
	Targets []target.Target // on IRC
}

// RouteOf returns the first route that matches c, or a mail when none does. A commit
// selects a route, and can't add a target.
func (p *Policy) RouteOf(c *commit.Commit) Route {
	return p.route(p.Recipient(c).Email, c.Repository, c.Refname)
}

// RouteOfEvent is RouteOf for a reminder whose message is not kept.
func (p *Policy) RouteOfEvent(e *history.Event) Route {
	return p.route(e.Address, e.Repository, "refs/heads/"+e.Branch)
}

func (p *Policy) route(address, repository, refname string) Route {
	for _, r := range p.Routes {
		if MatchAddress(r.Committers, address) && p.HasRepository(r.Repositories, repository) && MatchBranch(r.Branches, refname) {
			return r
		}
	}
	return Route{Mail: true}
}

// Has reports whether the route has a target on IRC, named as by target.Target.String.
func (r *Route) Has(name string) bool {
	return slices.ContainsFunc(r.Targets, func(t target.Target) bool { return t.String() == name })
}
