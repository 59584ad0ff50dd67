package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"vext/internal/config"
	"vext/notify"
	"vext/notify/irc"
	"vext/outbox"
	"vext/queue"
	"vext/reminder"
)

// reconcileFirst bounds the wait for the lock before a client connects.
const reconcileFirst = 3 * time.Second

// runIRC runs a client and its control socket until ctx ends. Before it connects it
// drops the messages of reminders that were changed meanwhile.
func (s *Server) runIRC(ctx context.Context, client *irc.Client, o *outbox.Outbox) error {
	run := func(ctx context.Context) error {
		within, cancel := context.WithTimeout(ctx, reconcileFirst)
		defer cancel()
		if waiting, err := o.Pending(within); err != nil || len(waiting) > 0 {
			if _, err := s.reconcile(within, o); err != nil && ctx.Err() == nil {
				s.Log.Info("cannot reconcile the IRC outbox; the next run retries", "err", err)
			}
		}
		return client.Run(ctx, o)
	}
	return runTasks(ctx, run, o.Serve)
}

// reconcileAgain is the pause before a retry when another process has the lock.
const reconcileAgain = 10 * time.Second

// reconcileAlways records delivered reminders in the history soon after their
// delivery. It calls runSoon when some were rejected, so that a run sends mails
// instead.
func (s *Server) reconcileAlways(ctx context.Context, o *outbox.Outbox, runSoon func()) error {
	reconcileWhen(ctx, o.Ended(), reconcileAgain, s.Log, func(ctx context.Context) (reminder.Summary, error) {
		sum, err := s.reconcile(ctx, o)
		if sum.ByMail > 0 {
			runSoon()
		}
		return sum, err
	})
	return nil
}

// reconcileWhen reconciles whenever it is woken, and again after a pause if another
// process had the lock, until ctx ends.
func reconcileWhen(ctx context.Context, wake <-chan struct{}, pause time.Duration, log *slog.Logger, reconcile func(context.Context) (reminder.Summary, error)) {
	var again <-chan time.Time
	for {
		select {
		case <-wake:
		case <-again:
		case <-ctx.Done():
			return
		}
		again = nil
		sum, err := reconcile(ctx)
		switch {
		case errors.Is(err, queue.ErrLocked):
			again = time.After(pause)
		case err != nil:
			log.Error("cannot reconcile the IRC outbox", "err", err)
		case !sum.Empty():
			log.Info("reconciled the IRC outbox", "done", sum.String())
		}
	}
}

// reconcile records what became of the reminders in an outbox, and drops those
// that were changed.
func (s *Server) reconcile(ctx context.Context, o notify.Outbox) (reminder.Summary, error) {
	q, err := s.Queue()
	if err != nil {
		return reminder.Summary{}, err
	}
	service := &reminder.Service{Queue: q, IRC: o, Log: s.Log}
	return service.Settle(ctx)
}

// dropTime bounds how long a person waits for DropChanged.
const dropTime = 3 * time.Second

// DropChanged drops the messages pending for IRC of reminders that a person has
// changed. If that fails, the next run does it.
func (s *Server) DropChanged(ctx context.Context) {
	q, err := s.Queue()
	if err != nil || !outbox.Exists(q.State) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, dropTime)
	defer cancel()
	o, done, err := s.LocalOutbox(q.State)
	if err == nil {
		_, err = s.reconcile(ctx, o)
		err = errors.Join(err, done())
	}
	if err != nil {
		s.Log.Debug("cannot reconcile the IRC outbox", "err", err)
	}
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

// RemindsOnIRC reports whether reminders go to IRC, or may be pending there since
// the configuration was changed.
func RemindsOnIRC(c *config.Config, state string) bool {
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
	if !RemindsOnIRC(s.Config, state) {
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
