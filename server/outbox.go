package server

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"vext/internal/config"
	"vext/internal/history"
	"vext/notify"
	"vext/notify/irc"
	"vext/outbox"
	"vext/reminder"
)

// reviewFirst bounds the wait for the lock before a client connects.
const reviewFirst = 3 * time.Second

// runIRC runs a client and the control socket of its outbox until ctx ends. Before it
// connects it drops the messages of reminders that were changed meanwhile.
func (s *Server) runIRC(ctx context.Context, client *irc.Client, o *outbox.Outbox) error {
	run := func(ctx context.Context) error {
		within, cancel := context.WithTimeout(ctx, reviewFirst)
		defer cancel()
		if pending, err := o.Pending(within); err != nil || len(pending) > 0 {
			if err := s.reviewOutbox(within, o); err != nil && ctx.Err() == nil {
				s.Log.Info("cannot review the outbox; the next run retries", "err", err)
			}
		}
		return client.Run(ctx, o)
	}
	return runTasks(ctx, run, o.Serve)
}

// bounceAgain is after how long another run looks for bounces, in case that the first one
// did not get the lock.
const bounceAgain = time.Minute

// mailBounced calls runSoon when reminders have bounced, so that a run mails them.
func mailBounced(ctx context.Context, o *outbox.Outbox, runSoon func()) error {
	var again <-chan time.Time
	for {
		select {
		case <-o.Bounced():
			again = time.After(bounceAgain)
		case <-again:
			again = nil
		case <-ctx.Done():
			return nil
		}
		runSoon()
	}
}

func (s *Server) reviewOutbox(ctx context.Context, o notify.Outbox) error {
	q, err := s.Queue()
	if err != nil {
		return err
	}
	return (&reminder.Service{Queue: q, IRC: o, Log: s.Log}).ReviewOutbox(ctx)
}

// askTime bounds how long a person waits for the outbox.
const askTime = 3 * time.Second

// DropChanged drops the messages pending for IRC of reminders that a person has
// changed. If that fails, the next run does it.
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

// A Delivery is what has become of a message of a reminder for IRC.
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

// LocalOutbox returns the outbox of a state directory, through the control socket
// or from the disk. It does not connect to IRC. done must be called.
func (s *Server) LocalOutbox(state string) (o IRCOutbox, done func() error, err error) {
	remote, err := outbox.Dial(state)
	if err == nil {
		return remote, func() error { return nil }, nil
	}
	if !errors.Is(err, outbox.ErrNotServed) {
		return nil, nil, err
	}
	_, own, err := openOutbox(state, s.Log)
	if err != nil {
		return nil, nil, err
	}
	return own, own.Close, nil
}

// remindsOnIRC reports whether reminders go to IRC, or may be pending there since
// the configuration was changed.
func remindsOnIRC(c *config.Config, state string) bool {
	for _, r := range c.Routes {
		if len(r.To) > 1 || len(r.To) == 1 && r.To[0] != config.ByMail {
			return true
		}
	}
	return outbox.Exists(state)
}

// awaitTime is how long a run without vext serve waits for IRC.
const awaitTime = 20 * time.Second

// withIRC gives a run its outbox if reminders go to IRC. done must be called. When
// the outbox is not available the run continues without it, and done returns why.
func (s *Server) withIRC(ctx context.Context, service *reminder.Service) (done func() error) {
	state := service.Queue.State
	if !remindsOnIRC(s.Config, state) {
		return func() error { return nil }
	}
	o, done, err := s.outbox(ctx, state)
	if err != nil {
		return s.withoutConnections(service, err)
	}
	service.IRC = o
	if _, alone := o.(*outbox.Outbox); alone {
		service.Await = func(ctx context.Context, keys []string) {
			if _, err := await(ctx, o, awaitTime, keys); err != nil {
				s.Log.Error("waiting for IRC", "err", err)
			}
		}
	}
	return done
}

// withoutConnections gives a run the outbox alone, so that pending messages can be
// dropped. why is the reason that there is no connection.
func (s *Server) withoutConnections(service *reminder.Service, why error) func() error {
	o, done, err := s.LocalOutbox(service.Queue.State)
	if err != nil {
		service.IRC = notify.FailingOutbox{Err: why}
		return func() error { return nil } // every call returns why
	}
	service.IRC = o
	return func() error { return errors.Join(why, done()) }
}
