package main

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"vext/filter"
	"vext/internal/commit"
	"vext/internal/config"
	"vext/queue"
	"vext/source/follow"
)

// filterFor returns the filter in front of the spool, for one way in.
func filterFor(q *queue.Queue, c *config.Config, way string) (*filter.Filter, error) {
	f, err := filter.New(q.Spool, time.Now, c.Reminders.Trailers...)
	if err != nil {
		return nil, err
	}
	f.Source = way
	return f, nil
}

// follower returns what looks after the repositories of a store.
func (a *app) follower(q *queue.Queue, c *config.Config, store follow.Store, way string, log *slog.Logger) (*follow.Follower, error) {
	f, err := filterFor(q, c, way)
	if err != nil {
		return nil, err
	}
	return &follow.Follower{Store: store, Queue: q, Filter: f, Log: log, Progress: a.progress, IsAnnounced: tells(c, q)}, nil
}

// inflow returns what a run asks the repositories, and the networks of IRC.
func (a *app) inflow(q *queue.Queue, c *config.Config, log *slog.Logger) (*inflowAndIRC, error) {
	hooked, err := a.follower(q, c, follow.Hooked(q.State), commit.FromHook, log)
	if err != nil {
		return nil, err
	}
	followed, err := a.follower(q, c, follow.Followed(q.State), commit.FromFollow, log)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range repositories(c) {
		names = append(names, r.Name)
	}
	return &inflowAndIRC{
		Sources: &follow.Sources{
			Hooked: hooked, Followed: followed, Names: names,
			Repository: func(s *follow.State) follow.Repository { return hookedRepository(c, s) },
		},
		status: func() (*ircStatus, error) { return a.ircStatus(context.Background(), q.State) },
	}, nil
}

// repositories returns those that the configuration says are to be followed.
func repositories(c *config.Config) []follow.Repository {
	var all []follow.Repository
	for i := range c.Repositories {
		r := &c.Repositories[i]
		if r.URL.IsZero() {
			continue
		}
		one := repository(c, r)
		one.URL, one.Source = r.URL, commit.FromFollow
		one.FirstParent = r.FirstParent == nil || *r.FirstParent
		all = append(all, one)
	}
	return all
}

// hookedRepository returns the repository of a hook. What the configuration
// says of one of its name holds for it, too; but a hook hands over each new
// commit, unless it is told not to.
func hookedRepository(c *config.Config, s *follow.State) follow.Repository {
	one := repository(c, &config.Repository{})
	for i := range c.Repositories {
		r := &c.Repositories[i]
		isPlace := !r.URL.IsZero() && commit.RepositoryName(r.URL.String()) == commit.RepositoryName(s.Where)
		if isPlace || commit.RepositoryName(r.Name) == commit.RepositoryName(s.Name) {
			one = repository(c, r)
			one.As = commit.RepositoryName(r.Name)
			one.From = ""
			one.FirstParent = r.FirstParent != nil && *r.FirstParent
		}
	}
	one.Name, one.Path, one.Source, one.Kind = s.Name, s.Where, commit.FromHook, s.Kind
	if s.Options != nil {
		if len(s.Options.Branches) > 0 {
			one.Branches, one.Explicit = s.Options.Branches, true
		}
		one.Domain = cmp.Or(s.Options.Domain, one.Domain)
	}
	return one
}

// repository returns what holds for a repository however it is read.
func repository(c *config.Config, r *config.Repository) follow.Repository {
	one := follow.Repository{
		Name: commit.RepositoryName(r.Name), Kind: vcsKind(r.VCS), From: r.From,
		Branches: c.Reminders.Branches, Committers: r.Committers, Domain: r.Domain,
	}
	if len(r.Branches) > 0 {
		one.Branches, one.Explicit = r.Branches, true
	}
	return one
}
