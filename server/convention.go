package server

import (
	"slices"

	"vext/internal/commit"
	"vext/internal/config"
	"vext/internal/convention"
	"vext/policy"
)

// asking returns what asks for a reminder in each repository, see policy.Policy.Asking.
func asking(c *config.Config) (map[string]*commit.Trailers, error) {
	all := map[string]*commit.Trailers{}
	byConvention := map[string]*commit.Trailers{}
	for _, r := range append([]config.Repository{{}}, c.Repositories...) {
		own, err := convention.OfTable(c, &r)
		if err != nil {
			return nil, err
		}
		if byConvention[own.Name] == nil {
			set, err := commit.NewTrailers(c.Reminders.Trailers...)
			if err == nil {
				set, err = own.With(set)
			}
			if err != nil {
				return nil, err
			}
			byConvention[own.Name] = set
		}
		all[commit.RepositoryName(r.Name)] = byConvention[own.Name]
	}
	return all, nil
}

// anyAsking returns what asks in any repository.
func anyAsking(c *config.Config) (*commit.Trailers, error) {
	set, err := commit.NewTrailers(c.Reminders.Trailers...)
	seen := map[string]bool{}
	for _, r := range append([]config.Repository{{}}, c.Repositories...) {
		if err != nil {
			return nil, err
		}
		var own *convention.Convention
		if own, err = convention.OfTable(c, &r); err == nil && !seen[own.Name] {
			seen[own.Name] = true
			set, err = own.With(set)
		}
	}
	return set, err
}

// branchesOf returns the patterns of the branches that count in a repository: its own, else
// those of [reminders], else those from which its convention merges, else the usual ones.
// explicit reports whether they are its own.
func branchesOf(c *config.Config, r *config.Repository) (patterns []string, explicit bool) {
	if len(r.Branches) > 0 {
		return r.Branches, true
	}
	usual := c.Reminders.Branches
	if !slices.Equal(usual, policy.DefaultBranches) || r.Convention == "" && c.Reminders.Convention == "" {
		return usual, false
	}
	own, err := convention.OfTable(c, r) // check has returned the error
	if err != nil || len(own.Development) == 0 {
		return usual, false
	}
	return own.Development, false
}
