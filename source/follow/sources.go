package follow

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"vext/internal/commit"
	"vext/internal/disk"
	"vext/internal/history"
	"vext/reminder"
)

// Sources gives a run access to the repositories. It implements reminder.Sources.
type Sources struct {
	Hooked   *Follower // of the repositories with a hook
	Followed *Follower
	// Names are the names of the configured repositories. Repositories that were
	// followed before cause no alert.
	Names []string
	// Repository returns the configuration of a repository with a hook.
	Repository func(s *State) Repository
}

// CatchUp spools the requests that hooks missed.
func (in *Sources) CatchUp(ctx context.Context) error {
	states, untrusted, err := in.Hooked.Store.all()
	for _, err := range untrusted {
		in.Hooked.Log.Error("ignoring a hook", "err", err)
	}
	if len(states) == 0 {
		return err
	}
	repositories := make([]Repository, len(states))
	for i, s := range states {
		repositories[i] = in.Repository(s)
	}
	// There is no backoff, because these repositories are on this machine, and the
	// next run must find what a hook missed.
	in.Hooked.CatchingUp = true
	for _, report := range in.Hooked.Follow(ctx, repositories, true) {
		if report.New > 0 {
			in.Hooked.Log.Info("caught up", "repository", report.Name, "spooled", report.New)
		}
	}
	return err // vext check shows the failures of single repositories
}

func (in *Sources) stores() []Store { return []Store{in.Hooked.Store, in.Followed.Store} }

// Vanished calls record with the commits that forced updates have removed since
// the last call, and forgets those that record does not return.
func (in *Sources) Vanished(ctx context.Context, record func([]history.Event) ([]history.Event, error)) error {
	var errs []error
	for _, store := range in.stores() {
		states, err := store.All()
		errs = append(errs, err)
		for _, s := range states {
			if len(s.Vanished) > 0 {
				errs = append(errs, in.vanished(ctx, store, s, record))
			}
		}
	}
	return errors.Join(errs...)
}

func (in *Sources) vanished(ctx context.Context, store Store, found *State, record func([]history.Event) ([]history.Event, error)) error {
	name := found.Name
	unlock, err := store.Lock(ctx, name, 0)
	if errors.Is(err, disk.ErrLocked) {
		return nil // the next run records them
	}
	if err != nil {
		return err
	}
	defer unlock()
	s, err := store.Load(name)
	if err != nil {
		return err
	}
	called := name
	if store == in.Hooked.Store && in.Repository != nil {
		called = cmp.Or(in.Repository(s).As, name)
	}
	var events []history.Event
	for _, gone := range s.Vanished {
		events = append(events, history.Event{
			Time: gone.Time, Successor: gone.Successor, Kind: history.Vanished, Source: commit.FromFollow, Repository: called, Branch: gone.Branch, Revision: gone.Revision,
			Key:    commit.MakeKey(called, gone.Revision),
			Reason: "a forced update took it off " + gone.Branch,
		})
	}
	left, err := record(events)
	if err != nil {
		return err
	}
	s.Vanished = slices.DeleteFunc(s.Vanished, func(gone VanishedCommit) bool {
		return !slices.ContainsFunc(left, func(e history.Event) bool { return e.Revision == gone.Revision })
	})
	return store.Save(s)
}

// alertAfter is how long a repository may fail before that is critical, and the operator
// is alerted.
const alertAfter = 24 * time.Hour

// Alerts returns what the operator is to be sent.
func (in *Sources) Alerts(now time.Time) []reminder.Alert {
	var alerts []reminder.Alert
	for _, store := range in.stores() {
		states, _ := store.All()
		for _, s := range states {
			wanted := store == in.Hooked.Store || slices.Contains(in.Names, s.Name)
			if wanted && s.Failures > 0 && now.Sub(s.Failing) >= alertAfter {
				alerts = append(alerts, reminder.Alert{Subject: s.Name, Location: s.Where, Since: s.Failing, Message: s.Error})
			}
		}
	}
	return alerts
}
