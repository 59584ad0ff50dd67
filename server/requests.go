package server

import (
	"cmp"
	"context"
	"maps"
	"path"
	"sync"
	"time"

	"vext/internal/commit"
	"vext/internal/config"
	"vext/internal/disk"
	"vext/internal/weburl"
	"vext/source/follow"
	"vext/source/remote"
)

// Requests stores the requests and announcements of what a vext remote fetches.
type Requests struct {
	s *Server

	turn sync.Mutex // of a look: two remotes may have one name
	mu   sync.Mutex
	seen map[string]func(context.Context) error // Fetched, by the names of remotes
}

// Requests prepares what vext remote --requests does. It must be called before anything
// else of the daemon: root becomes the owner of the state directory.
func (s *Server) Requests() (*Requests, error) {
	q, err := s.Queue()
	if err != nil {
		return nil, err
	}
	if err := s.keepState(q); err != nil {
		return nil, err
	}
	return &Requests{s: s, seen: map[string]func(context.Context) error{}}, nil
}

// Fetched stores what is new of a remote of the clone with that git directory.
func (r *Requests) Fetched(ctx context.Context, dir string, of remote.Remote) error {
	r.mu.Lock()
	r.seen[of.Name] = func(ctx context.Context) error { return r.Fetched(ctx, dir, of) }
	r.mu.Unlock()
	r.turn.Lock()
	defer r.turn.Unlock()
	q, err := r.s.Queue()
	if err != nil {
		return err
	}
	store := follow.Followed(q.State)
	repository, err := r.s.tracked(store, &of)
	if err != nil {
		return err
	}
	repository.Path, repository.Tracks = dir, of.Branch
	f, err := r.s.Follower(q, store, commit.FromFollow)
	if err != nil {
		return err
	}
	report := f.FollowClone(ctx, repository)
	if report.Busy {
		return disk.ErrLocked
	}
	if report.Commits > 0 {
		r.s.Log.Info("followed", "repository", report.Name, "commits", report.Commits, "asking", report.Requests, "spooled", report.New)
	}
	return report.Err
}

// beat is how often vext check sees a remote that does not change.
const beat = 6 * time.Hour

// Run looks at all remotes now and then, until ctx ends.
func (r *Requests) Run(ctx context.Context) {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		r.mu.Lock()
		all := maps.Clone(r.seen)
		r.mu.Unlock()
		for name, look := range all {
			if err := look(ctx); err != nil && ctx.Err() == nil {
				r.s.Log.Warn("cannot store requests", "remote", name, "err", err)
			}
		}
	}
}

// tracked returns the repository of a remote: that of the configuration with its URL, or
// one with the name that vext follow add would give it. Where that is the name of another
// repository, such as a fork, its state has a longer one.
func (s *Server) tracked(store follow.Store, of *remote.Remote) (follow.Repository, error) {
	for _, one := range Repositories(s.Config) {
		if of.Is(one.URL) {
			return one, nil
		}
	}
	at := weburl.Parse(of.URL)
	if at.IsLocal() { // it may be relative
		at = weburl.Parse("file://" + of.URI)
	}
	whole := commit.RepositoryName(at.String())
	name := commit.RepositoryName(cmp.Or(path.Base(whole), whole))
	one := repository(s.Config, &config.Repository{Name: name})
	one.URL, one.Source, one.FirstParent = at, commit.FromFollow, true
	known, err := store.Load(name)
	if err == nil && known.Where != "" && weburl.Parse(known.Where).Place() != at.Place() {
		one.Name, one.As = whole, name
	}
	return one, err
}
