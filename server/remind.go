package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"vext/filter"
	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/config"
	"vext/internal/hint"
	"vext/internal/history"
	"vext/internal/vcs"
	"vext/internal/weburl"
	"vext/policy"
	"vext/queue"
	"vext/source/follow"
)

// A Reminding is a person's request for a reminder of a commit that is in a repository.
type Reminding struct {
	Digits     string // the first of the commit's hash
	Period     string // as behind `MFC after:`
	To         []string
	Repository string        // any of its names; "" to look in all
	Dir        string        // a directory in a clone, in which alone to look; "" for none
	Here       string        // a directory that may be in a clone, to look in last; "" for none
	By         commit.Person // who asks
	// Counts reports whether the person may ask for a reminder of a commit.
	Counts func(c *commit.Commit) bool
}

// A Reminded is what has become of a Reminding.
type Reminded struct {
	Commit *commit.Commit
	Event  history.Event // of its request; its Kind is what the queue has decided
	Day    calendar.Day  // for history.Queued
	// Replaced is the day of the pending reminder that it replaces; nil for none.
	Replaced *calendar.Day
}

// ErrNoCommit says that no repository has a commit.
var ErrNoCommit = errors.New("no such commit")

// Remind finds a commit, and stores and schedules the request. The caller holds the
// queue's lock.
func (s *Server) Remind(ctx context.Context, q *queue.Queue, r *Reminding) (*Reminded, error) {
	c, err := s.findCommit(ctx, q, r)
	if err != nil {
		return nil, err
	}
	f, err := s.filter(q, commit.FromRemind)
	if err != nil {
		return nil, err
	}
	c.Source, c.Sender = commit.FromRemind, c.Committer.Email
	key := "MFC after"
	own, asks, err := q.Policy.Request(c)
	if err != nil {
		return nil, err
	}
	if asks && !own.ByDefault {
		key = own.Key
	}
	c.Asked = commit.Asked{Line: key + ": " + r.Period, To: r.To, By: r.By, Date: q.Now}
	c.Asked.Clean()
	push := filter.NewPush(commit.Arrival{Commit: *c})
	push.Past = true // it is not announced
	accepted, err := f.Accept(push)
	if err != nil {
		return nil, err
	}
	if len(accepted.Names) == 0 {
		return nil, fmt.Errorf("%q asks for no reminder", c.Asked.Line)
	}
	plan, err := q.Plan(nil)
	done, applyErr := q.Apply(plan)
	if err = errors.Join(err, applyErr); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(done, func(d queue.Decision) bool { return d.Name == accepted.Names[0] })
	if i < 0 {
		return nil, fmt.Errorf("%s is in the spool; the next run schedules it", accepted.Names[0])
	}
	return &Reminded{Commit: c, Event: done[i].Event, Day: done[i].Day, Replaced: done[i].Replaces()}, nil
}

// A searched is a repository in which a commit is looked for.
type searched struct {
	git      vcs.GitRepository
	name     string   // in commits
	branches []string // patterns of those that count
	where    string
}

// findCommit finds the one commit that a person means, with a branch that has it.
func (s *Server) findCommit(ctx context.Context, q *queue.Queue, r *Reminding) (*commit.Commit, error) {
	places, err := s.searches(ctx, q, r)
	if err != nil {
		return nil, err
	}
	found, err := search(ctx, places, r)
	if err == nil && len(found) == 0 && r.Dir == "" && r.Repository == "" && r.Here != "" {
		if place, hereErr := s.clone(ctx, q, r.Here, ""); hereErr == nil {
			found, err = search(ctx, []searched{place}, r)
		}
	}
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		advice := "name the clone that has it with -C, or follow its repository: vext follow add URL; vext follow looks for new commits at once"
		if r.Here == "" && r.Dir == "" {
			advice = "it must be one of your own commits, on a branch of a repository that vext follows or that has a hook of vext"
		}
		return nil, hint.Wrap(fmt.Errorf("%w: %s", ErrNoCommit, r.Digits), advice)
	case len(found) > 1:
		var names []string
		for _, c := range found {
			names = append(names, c.Revision+" in "+cmp.Or(c.Repository, "?"))
		}
		return nil, hint.Wrap(fmt.Errorf("several commits begin with %s", r.Digits), "give more digits, or --repository: "+strings.Join(names[:min(len(names), 5)], ", "))
	}
	return found[0], nil
}

// search returns the commits that begin with the digits, each once.
func search(ctx context.Context, places []searched, r *Reminding) (found []*commit.Commit, err error) {
	var failed []error
	for _, p := range places {
		hashes, err := p.git.Find(ctx, r.Digits)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", p.where, err))
			continue
		}
		commits, err := p.git.Commits(ctx, hashes)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", p.where, err))
			continue
		}
		for _, hash := range hashes {
			c := commits[hash]
			if c == nil {
				continue
			}
			refnames, err := p.git.Containing(ctx, hash)
			if err != nil {
				return nil, err
			}
			if len(refnames) == 0 {
				continue // on no branch
			}
			counts := func(refname string) bool { return policy.MatchBranch(p.branches, refname) }
			c.Repository, c.Refname = p.name, cmp.Or(follow.BranchOf(refnames, p.branches, counts), refnames[0])
			if r.Counts(c) && !slices.ContainsFunc(found, func(other *commit.Commit) bool { return commit.SameCommit(other.Key(), c.Key()) }) {
				found = append(found, c)
			}
		}
	}
	if len(found) == 0 {
		return nil, errors.Join(failed...)
	}
	return found, nil
}

// searches returns the repositories in which a commit is looked for.
func (s *Server) searches(ctx context.Context, q *queue.Queue, r *Reminding) ([]searched, error) {
	if r.Dir != "" {
		place, err := s.clone(ctx, q, r.Dir, r.Repository)
		return []searched{place}, err
	}
	var all []searched
	add := func(of follow.Repository, dir string) {
		name := cmp.Or(of.As, of.Name)
		if r.Repository != "" && q.Policy.Repository(r.Repository) != q.Policy.Repository(name) {
			return
		}
		if git, err := openGit(dir); err == nil {
			all = append(all, searched{git, name, of.Branches, name})
		}
	}
	followed := follow.Followed(q.State)
	for _, of := range Repositories(s.Config) {
		if state, err := followed.Load(of.Name); err == nil && state.Kind == vcs.Git {
			add(of, followed.Copy(of.Name, vcs.Git))
		}
	}
	states, err := follow.Hooked(q.State).All()
	for _, state := range states {
		if state.Kind == vcs.Git {
			add(HookedRepository(s.Config, state), state.Where)
		}
	}
	for i := range s.Config.Repositories {
		if of := &s.Config.Repositories[i]; of.Git != "" {
			if place, err := vcs.Locate(ctx, of.Git, vcs.Git); err == nil {
				add(repository(s.Config, of), place.Dir)
			}
		}
	}
	if len(all) == 0 && r.Repository != "" {
		return nil, errors.Join(err, hint.Wrap(fmt.Errorf("%w: %s", errNoRepository, r.Repository), "name a clone of it with -C; only repositories of git are looked in"))
	}
	return all, err
}

// clone returns the clone that has a directory. Its name is that of the repository from
// which it was cloned, if that is configured, else that of its directory.
func (s *Server) clone(ctx context.Context, q *queue.Queue, dir, name string) (searched, error) {
	place, err := vcs.Locate(ctx, dir, vcs.Git)
	if err != nil {
		return searched{}, err
	}
	git, err := openGit(place.Dir)
	if err != nil {
		return searched{}, err
	}
	if name == "" {
		name = s.nameOf(ctx, place)
	}
	name = q.Policy.Repository(name)
	return searched{git, name, q.Policy.BranchesOf(name), place.Dir}, nil
}

// nameOf returns the name of the repository of a clone.
func (s *Server) nameOf(ctx context.Context, place *vcs.Place) string {
	origin := weburl.Parse(place.Origin(ctx))
	isClone := func(r config.Repository) bool {
		if r.Git != "" && filepath.Clean(r.Git) == filepath.Dir(place.Dir) || filepath.Clean(r.Git) == place.Dir {
			return true
		}
		return !origin.IsZero() && !r.URL.IsZero() && r.URL.Place() == origin.Place()
	}
	if i := slices.IndexFunc(s.Config.Repositories, isClone); i >= 0 {
		return s.Config.Repositories[i].Name
	}
	return place.Name
}

func openGit(dir string) (vcs.GitRepository, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	repo, err := vcs.Open(vcs.Git, dir, weburl.URL{})
	if err != nil {
		return nil, err
	}
	return repo.(vcs.GitRepository), nil
}
