package server

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"vext/internal/history"
	"vext/notify"
	"vext/outbox"
	"vext/reminder"
)

// askTime bounds how long a person waits for the outbox.
const askTime = 3 * time.Second

// DropChanged drops the pending messages of reminders that a person has changed. If
// that fails, the next run does it.
func (s *Server) DropChanged(ctx context.Context) {
	q, err := s.Queue()
	if err != nil || !outbox.Exists(q.State) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	o, done, err := s.LocalOutbox(q.State)
	if err == nil {
		err = errors.Join(s.reviewOutbox(ctx, o), done())
	}
	if err != nil {
		s.Log.Debug("cannot review the outbox", "err", err)
	}
}

// A Delivery is what has become of a message of a reminder for a target.
type Delivery struct {
	Target string    `json:"target"`
	State  string    `json:"state"` // delivered, pending, bounced, unknown
	Since  time.Time `json:"since,omitzero"`
	Reason string    `json:"reason,omitempty"`
}

// Deliveries returns what has become of the messages of a reminder with these events.
func (s *Server) Deliveries(ctx context.Context, state string, events []history.Event) []Delivery {
	keys := reminder.MessageKeys(events)
	if len(keys) == 0 || !outbox.Exists(state) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	var outcomes map[string]notify.Outcome
	o, done, err := s.LocalOutbox(state)
	if err == nil {
		outcomes, err = o.Outcomes(ctx, slices.Collect(maps.Values(keys))...)
		err = errors.Join(err, done())
	}
	var all []Delivery
	for _, target := range slices.Sorted(maps.Keys(keys)) {
		d := Delivery{Target: target}
		outcome, known := outcomes[keys[target]]
		switch {
		case err != nil:
			d.State, d.Reason = "unknown", err.Error()
		case !known:
			continue
		case !outcome.Delivered.IsZero():
			d.State, d.Since = "delivered", outcome.Delivered
		case outcome.Rejected != "":
			d.State, d.Reason = "bounced", outcome.Rejected
		default:
			d.State, d.Since, d.Reason = "pending", outcome.Accepted, outcome.LastError
		}
		all = append(all, d)
	}
	return all
}
