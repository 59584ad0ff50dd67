package reminder

import (
	"context"
	"fmt"
	"slices"
	"time"

	"vext/internal/history"
	"vext/queue"
	"vext/templates"
)

// Sources are the sources that look for commits themselves, as a run uses them.
type Sources interface {
	// CatchUp spools the commits that a source has missed. Its failures are in
	// Alerts.
	CatchUp(ctx context.Context) error
	// Vanished calls record with the commits that are no longer where they
	// were. Those that record returns are passed to it again by the next run.
	Vanished(ctx context.Context, record func([]history.Event) ([]history.Event, error)) error
	// Alerts returns the sources, and the targets on IRC, that have failed for so
	// long that the operator is to be notified.
	Alerts(now time.Time) []Alert
}

// An Alert is a source, or a target on IRC, that fails.
type Alert struct {
	Subject  string    // the repository, the channel
	Location string    // its URL or path; IRC
	Since    time.Time // when it first failed
	Message  string    // how it fails
}

// catchUp spools what the sources have missed, before the spool is read.
func (s *Service) catchUp(ctx context.Context) error {
	if s.Sources == nil {
		return nil
	}
	return s.Sources.CatchUp(ctx)
}

// findGone finds out about which commits markVanished will be asked.
func (r *run) findGone(ctx context.Context) {
	if r.Sources == nil {
		return
	}
	r.Sources.Vanished(ctx, func(events []history.Event) ([]history.Event, error) {
		r.canonicalize(events)
		r.gone = append(r.gone, queue.GoneKeys(events)...)
		return events, nil // and to be passed again; markVanished returns the errors
	})
}

func (r *run) canonicalize(events []history.Event) {
	for i := range events {
		events[i].Key = r.Queue.History.CanonicalKey(events[i].Key)
	}
}

// markVanished records which commits of pending reminders a forced update removed.
// The reminder of a commit that was amended or rebased becomes that of its successor.
func (r *run) markVanished(ctx context.Context) error {
	if r.Sources == nil {
		return nil
	}
	return r.Sources.Vanished(ctx, func(events []history.Event) ([]history.Event, error) {
		r.canonicalize(events)
		about := r.Queue.History.NewIndex()
		about.Add(nil, queue.GoneKeys(events))
		if err := r.lookUp(about); err != nil {
			return events, err
		}
		left, err := r.Queue.Supersede(events, r.index)
		if err == nil {
			err = r.index.Fill()
		}
		if err != nil {
			return events, err
		}
		var waiting []history.Event
		for _, e := range events {
			c := r.index.Commit(e.Key)
			state := &c.All
			if c.Trusted.Queued != nil {
				state = &c.Trusted
			}
			if state.Queued == nil || state.Done || state.Vanished != nil {
				continue
			}
			queued := state.Queued
			e.Time, e.Name = history.Stamp(r.Queue.Now), queued.Name
			e.Address, e.Committer, e.Subject, e.Asked = queued.Address, queued.Committer, queued.Subject, queued.Asked
			waiting = append(waiting, e)
			r.Log.Warn("commit vanished", "name", e.Name, "branch", e.Branch)
		}
		return left, r.Queue.History.Append(waiting...)
	})
}

// notifiedAlert is the Reason of the OperatorNotified event about an alert.
const notifiedAlert = "trouble"

// alertData is the data of alerts.txt.
type alertData struct {
	Host   string
	Alerts []alertItem
}

type alertItem struct{ Subject, Location, Since, Message string }

// Names that templates of earlier versions use.

func (d alertData) Troubles() []alertItem { return d.Alerts }
func (i alertItem) What() string          { return i.Subject }
func (i alertItem) Where() string         { return i.Location }
func (i alertItem) Text() string          { return i.Message }

// sendAlerts notifies the operator once of each failure.
func (s *Service) sendAlerts(ctx context.Context, alerts []Alert) error {
	if len(alerts) == 0 {
		return nil
	}
	data := alertData{Host: s.Host}
	var events []history.Event
	for _, t := range alerts {
		data.Alerts = append(data.Alerts, alertItem{t.Subject, t.Location, s.ago(t.Since), t.Message})
		events = append(events, t.event())
	}
	what := alerts[0].Subject
	if len(alerts) > 1 {
		what = fmt.Sprintf("%s and %d more", what, len(alerts)-1)
	}
	return s.mailOperator(ctx, notifiedAlert, "[vext] alert: "+what, templates.Alerts, data, events...)
}

// event returns the event by which the operator is notified of the alert.
func (a *Alert) event() history.Event {
	return history.Event{Reason: notifiedAlert, Repository: a.Subject, Until: a.Since.UTC().Format(time.RFC3339)}
}

// newAlerts returns the alerts of which the operator was not notified.
func (s *Service) newAlerts(t *tally) []Alert {
	if s.Sources == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Sources.Alerts(s.Queue.Now)), func(a Alert) bool { return t.isNotified(a.event()) })
}
