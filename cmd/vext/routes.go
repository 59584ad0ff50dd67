package main

import (
	"vext/internal/config"
	"vext/internal/target"
	"vext/policy"
)

// recipients returns where reminders go.
func routes(c *config.Config) []policy.Route {
	var all []policy.Route
	for _, r := range c.Routes {
		route := policy.Route{Committers: r.Committers, Repositories: r.Repositories, Branches: r.Branches}
		for _, to := range r.To {
			if to == config.ByMail {
				route.Mail = true
			} else if t, err := target.Parse(to); err == nil { // config has checked them
				route.Targets = append(route.Targets, t)
			}
		}
		all = append(all, route)
	}
	return all
}
