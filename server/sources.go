package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"vext/announce"
	"vext/filter"
	"vext/internal/commit"
	"vext/internal/config"
	"vext/internal/convention"
	"vext/internal/hint"
	"vext/internal/vcs"
	"vext/notify"
	"vext/queue"
	"vext/reminder"
	"vext/source/follow"
	"vext/spool"
)

// filter returns the filter in front of the spool, for one source.
func (s *Server) filter(q *queue.Queue, source string) (*filter.Filter, error) {
	f, err := filter.New(q.Spool, time.Now, s.Config.Reminders.Trailers...)
	if err != nil {
		return nil, err
	}
	f.Source = source
	if f.Trailers, err = anyAsking(s.Config); err != nil {
		return nil, err
	}
	f.Of = func(repository string) *commit.Trailers {
		own, err := q.Policy.TrailersOf(repository)
		if err != nil { // not after New
			return f.Trailers
		}
		return own
	}
	return f, nil
}

// Follower returns a follower for the repositories of a store.
func (s *Server) Follower(q *queue.Queue, store follow.Store, source string) (*follow.Follower, error) {
	f, err := s.filter(q, source)
	if err != nil {
		return nil, err
	}
	follower := &follow.Follower{Store: store, Queue: q, Filter: f, Log: s.Log, Progress: s.Progress}
	if len(s.Config.Announce) > 0 {
		follower.Announces = true
		f.Announced = announce.Matcher(&q.Policy, announceRules(s.Config))
	}
	return follower, nil
}

// sources returns the repositories that a run reads, and the alerts of targets.
func (s *Server) sources(q *queue.Queue) (*sources, error) {
	hooked, err := s.Follower(q, follow.Hooked(q.State), commit.FromHook)
	if err != nil {
		return nil, err
	}
	followed, err := s.Follower(q, follow.Followed(q.State), commit.FromFollow)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range Repositories(s.Config) {
		names = append(names, r.Name)
	}
	return &sources{
		Sources: &follow.Sources{
			Hooked: hooked, Followed: followed, Names: names,
			Repository: func(state *follow.State) follow.Repository { return HookedRepository(s.Config, state) },
		},
		status: func() (*OutboxStatus, error) { return s.OutboxStatus(context.Background(), q.State) },
	}, nil
}

// sources are the sources of a run, with alerts of targets too.
type sources struct {
	*follow.Sources
	status func() (*OutboxStatus, error)
}

// How long a target fails before the operator gets an alert.
const (
	networkFails = 24 * time.Hour // a network, or a person, is unreachable
	channelFails = time.Hour      // a channel rejects us
)

// Alerts implements reminder.Sources.
func (i *sources) Alerts(now time.Time) []reminder.Alert {
	all := i.Sources.Alerts(now)
	status, err := i.status()
	if err != nil {
		return all // vext check reports it
	}
	for _, n := range status.Networks {
		for _, l := range n.Links {
			if l.State != "connected" && l.Error != "" && now.Sub(l.Since) >= networkFails {
				all = append(all, reminder.Alert{Subject: n.Network, Location: "IRC", Since: l.Since, Message: l.Error})
				break
			}
		}
		all = append(all, recipientAlerts("IRC", n.States(), now)...)
	}
	if x := status.XMPP; x != nil {
		if !x.Connected && x.Error != "" && !x.Since.IsZero() && now.Sub(x.Since) >= networkFails {
			all = append(all, reminder.Alert{Subject: x.Account, Location: "XMPP", Since: x.Since, Message: x.Error})
		}
		all = append(all, recipientAlerts("XMPP", x.States(), now)...)
	}
	return all
}

// recipientAlerts returns the alerts of the recipients of a protocol.
func recipientAlerts(protocol string, recipients []notify.RecipientStatus, now time.Time) (all []reminder.Alert) {
	for _, r := range recipients {
		patience := channelFails
		if r.State == "person" {
			patience = networkFails
		}
		if r.Problem != "" && now.Sub(r.Failing) >= patience {
			all = append(all, reminder.Alert{Subject: r.Target, Location: protocol, Since: r.Failing, Message: r.Problem})
		}
	}
	return all
}

// Repositories returns the repositories to follow.
func Repositories(c *config.Config) []follow.Repository {
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

// HookedRepository returns the repository of a hook. The table [[repository]] with
// its name or place applies to it, too; but a hook spools every new commit, also
// those that merges bring in, unless the table sets first_parent.
func HookedRepository(c *config.Config, s *follow.State) follow.Repository {
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

// repository returns the settings of a repository that hold for every source.
func repository(c *config.Config, r *config.Repository) follow.Repository {
	one := follow.Repository{
		Name: commit.RepositoryName(r.Name), Kind: vcs.Kind(r.VCS), From: r.From,
		Committers: r.Committers, Domain: r.Domain,
	}
	if c.Reminders.Notes != "" {
		one.Notes = vcs.NotesRef(c.Reminders.Notes)
	}
	one.Branches, one.Explicit = branchesOf(c, r)
	if own, err := convention.Of(c, r.Name); err == nil { // Load has checked it
		one.Targets = own.Patterns
	}
	return one
}

var errNoRepository = errors.New("no repository of that name is followed or has a hook")

// Repository returns the repository of a name, followed or with a hook, and the
// store that it is in.
func (s *Server) Repository(q *queue.Queue, name string) (follow.Store, follow.Repository, error) {
	name = q.Policy.Repository(name)
	for _, r := range Repositories(s.Config) {
		if r.Name == name {
			return follow.Followed(q.State), r, nil
		}
	}
	store := follow.Hooked(q.State)
	states, err := store.All()
	for _, state := range states {
		if q.Policy.Repository(state.Name) == name {
			return store, HookedRepository(s.Config, state), nil
		}
	}
	if err != nil {
		return store, follow.Repository{}, err
	}
	return store, follow.Repository{}, hint.Wrap(fmt.Errorf("%w: %s", errNoRepository, name), "add it: vext follow add URL, or vext hook install REPO")
}

// Backfill spools the requests in past commits of a repository, see follow.Backfill.
// It returns the name of the repository.
func (s *Server) Backfill(ctx context.Context, q *queue.Queue, name string, since time.Time, dryRun bool) (follow.Backfill, string, error) {
	store, r, err := s.Repository(q, name)
	if err != nil {
		return follow.Backfill{}, "", err
	}
	f, err := s.Follower(q, store, commit.FromImport)
	if err != nil {
		return follow.Backfill{}, "", err
	}
	schedule := func() error {
		if dryRun {
			return nil
		}
		plan, err := q.Plan(nil)
		_, applyErr := q.Apply(plan)
		return errors.Join(err, applyErr)
	}
	if err := schedule(); err != nil { // so that requests in the spool are known
		return follow.Backfill{}, "", err
	}
	b, err := f.Backfill(ctx, r, since, dryRun)
	if err == nil {
		err = schedule()
	}
	if err == nil && !dryRun {
		q.Spool.ForgetIncomplete(func(push spool.IncompletePush) bool {
			return q.Policy.Repository(push.Repository) == r.Name && !push.Time.Before(since)
		})
	}
	return b, r.Name, err
}
