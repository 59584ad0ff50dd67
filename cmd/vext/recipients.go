package main

import (
	"vext/internal/config"
	"vext/internal/target"
	"vext/queue"
)

// recipients returns which way reminders go.
func recipients(c *config.Config) []queue.Route {
	var ways []queue.Route
	for _, r := range c.Recipients {
		way := queue.Route{Committers: r.Committers, Repositories: r.Repositories, Branches: r.Branches}
		for _, to := range r.To {
			if to == config.ByMail {
				way.Mail = true
			} else if t, err := target.Parse(to); err == nil { // config has checked them
				way.Targets = append(way.Targets, t)
			}
		}
		ways = append(ways, way)
	}
	return ways
}
