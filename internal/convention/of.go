package convention

import (
	"fmt"
	"maps"
	"strings"

	"vext/internal/commit"
	"vext/internal/config"
)

// Of returns the convention of a repository, given any of its names, with the targets and
// links that the configuration has for it. A repository without a table has the convention
// of [reminders].
func Of(c *config.Config, repository string) (*Convention, error) {
	name := commit.RepositoryName(repository)
	if one, ok := c.Names()[strings.ToLower(name)]; ok {
		name = one
	}
	for i := range c.Repositories {
		if r := &c.Repositories[i]; commit.RepositoryName(r.Name) == name {
			return of(c, r)
		}
	}
	return of(c, &config.Repository{})
}

// of is Of for a table of the configuration.
func of(c *config.Config, r *config.Repository) (*Convention, error) {
	name := c.Reminders.Convention
	if r.Convention != "" {
		name = r.Convention
	}
	own, err := Load(name)
	if err != nil {
		if r.Convention != "" {
			return nil, fmt.Errorf("repository %s: %w", r.Name, err)
		}
		return nil, fmt.Errorf("reminders: %w", err)
	}
	if len(r.Targets) > 0 {
		own.Patterns, own.Supported = r.Targets, 0
	}
	if r.Supported != nil {
		own.Supported = *r.Supported
	}
	own.Links = maps.Clone(r.Links)
	return own, nil
}
