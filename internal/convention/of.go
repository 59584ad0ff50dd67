package convention

import (
	"cmp"
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
			return OfTable(c, r)
		}
	}
	return OfTable(c, &config.Repository{})
}

// OfTable is Of for a table of the configuration.
func OfTable(c *config.Config, r *config.Repository) (*Convention, error) {
	own, err := Load(cmp.Or(r.Convention, c.Reminders.Convention))
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
