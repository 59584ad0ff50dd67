package reminder

import (
	"context"
	"fmt"
	"slices"
	"time"

	"vext/internal/history"
	"vext/templates"
)

// An Inflow is what a run asks the ways in that look for commits themselves.
type Inflow interface {
	// CatchUp spools what a way should have brought and did not. What fails of
	// it is told by Troubles.
	CatchUp(ctx context.Context) error
	// Vanished calls record with the commits that are no longer where they
	// were. Those that record returns are to be told of again.
	Vanished(ctx context.Context, record func([]history.Event) ([]history.Event, error)) error
	// Troubles returns what has failed for so long that the operator is to know,
	// of the ways in and of IRC.
	Troubles(now time.Time) []Trouble
}

// A Trouble is a way in, or a way out on IRC, that fails.
type Trouble struct {
	What  string    // the repository, the channel
	Where string    // its URL or path; IRC
	Since time.Time // when it first failed
	Text  string    // how it fails
}

// catchUp brings in what the ways in have missed, before the spool is read.
func (s *Service) catchUp(ctx context.Context) error {
	if s.Inflow == nil {
		return nil
	}
	return s.Inflow.CatchUp(ctx)
}

// markVanished records of the reminders that wait which of their commits a
// forced update took away. The reminder of one that was amended or rebased
// becomes that of its successor.
func (s *Service) markVanished(ctx context.Context) error {
	if s.Inflow == nil {
		return nil
	}
	return s.Inflow.Vanished(ctx, func(events []history.Event) ([]history.Event, error) {
		for i := range events {
			events[i].Key = s.Queue.History.CanonicalKey(events[i].Key)
		}
		left, err := s.Queue.Supersede(events)
		if err != nil {
			return events, err
		}
		keys := make([]string, len(events))
		for i := range events {
			keys[i] = events[i].Key
		}
		known, err := s.Queue.History.LookupSources(nil, keys)
		if err != nil {
			return events, err
		}
		var waiting []history.Event
		for _, e := range events {
			standing := known.Key(e.Key)
			if trusted := known.Trusted(e.Key); trusted.Queued != nil {
				standing = trusted
			}
			if standing.Queued == nil || standing.Done || standing.Vanished != nil {
				continue
			}
			queued := standing.Queued
			e.Time, e.Name = history.Stamp(s.Queue.Now), queued.Name
			e.Address, e.Committer, e.Subject, e.Asked = queued.Address, queued.Committer, queued.Subject, queued.Asked
			waiting = append(waiting, e)
			s.Log.Warn("its commit vanished", "name", e.Name, "branch", e.Branch)
		}
		return left, s.Queue.History.Append(waiting...)
	})
}

// toldTrouble is how the history records that the operator knows of a trouble.
const toldTrouble = "trouble"

// troubleData is what trouble.txt has.
type troubleData struct {
	Host     string
	Troubles []troubleItem
}

type troubleItem struct{ What, Where, Since, Text string }

// tellTroubles writes to the operator once about everything that fails. What began to fail anew is told anew.
func (s *Service) tellTroubles(ctx context.Context) error {
	troubles, err := s.newTroubles()
	if err != nil || len(troubles) == 0 {
		return err
	}
	data := troubleData{Host: s.Host}
	var told []history.Event
	for _, t := range troubles {
		data.Troubles = append(data.Troubles, troubleItem{t.What, t.Where, s.ago(t.Since), t.Text})
		told = append(told, history.Event{Repository: t.What, Until: t.Since.UTC().Format(time.RFC3339)})
	}
	what := troubles[0].What
	if len(troubles) > 1 {
		what = fmt.Sprintf("%s and %d more", what, len(troubles)-1)
	}
	return s.tell(ctx, toldTrouble, "[vext] trouble: "+what, templates.Trouble, data, told...)
}

// newTroubles returns the troubles that the operator was not told of.
func (s *Service) newTroubles() ([]Trouble, error) {
	if s.Inflow == nil {
		return nil, nil
	}
	troubles := slices.Clone(s.Inflow.Troubles(s.Queue.Now))
	if len(troubles) == 0 {
		return nil, nil
	}
	_, err := s.Queue.History.Scan(func(e *history.Event) {
		if e.Kind != history.OperatorNotified || e.Reason != toldTrouble {
			return
		}
		troubles = slices.DeleteFunc(troubles, func(t Trouble) bool {
			return t.What == e.Repository && t.Since.UTC().Format(time.RFC3339) == e.Until
		})
	})
	return troubles, err
}
