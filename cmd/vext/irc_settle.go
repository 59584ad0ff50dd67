package main

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

// settleFirst bounds how long to wait for the lock before a client speaks.
const settleFirst = 3 * time.Second

// speak runs a client, and the door to it, until ctx ends. What is not to be
// told any more is taken back before it connects.
func (a *app) speak(ctx context.Context, c *config.Config, client *irc.Client, o *outbox.Outbox, log *slog.Logger) error {
	run := func(ctx context.Context) error {
		within, cancel := context.WithTimeout(ctx, settleFirst)
		defer cancel()
		if waiting, err := o.Pending(within); err != nil || len(waiting) > 0 {
			if _, err := a.settle(within, c, o, log); err != nil && ctx.Err() == nil {
				log.Info("not known what is to be taken back from IRC; the next run takes it back", "err", err)
			}
		}
		return client.Run(ctx, o)
	}
	return together(ctx, run, o.Serve)
}

// settleAgain is how long to wait when a run had the lock for too long.
const settleAgain = 10 * time.Second

// settleAlways records in the history which reminders were told, soon after
// they were. runSoon is called when some were rejected, so that a run lets their
// mails go.
func (a *app) settleAlways(ctx context.Context, c *config.Config, o *outbox.Outbox, log *slog.Logger, runSoon func()) error {
	settleWhen(ctx, o.Ended(), settleAgain, log, func(ctx context.Context) (reminder.Summary, error) {
		sum, err := a.settle(ctx, c, o, log)
		if sum.ByMail > 0 {
			runSoon()
		}
		return sum, err
	})
	return nil
}

// settleWhen settles whenever it is woken, and once more after a while when
// another had the lock, until ctx ends.
func settleWhen(ctx context.Context, wake <-chan struct{}, pause time.Duration, log *slog.Logger, settle func(context.Context) (reminder.Summary, error)) {
	var again <-chan time.Time
	for {
		select {
		case <-wake:
		case <-again:
		case <-ctx.Done():
			return
		}
		again = nil
		sum, err := settle(ctx)
		switch {
		case errors.Is(err, queue.ErrLocked):
			again = time.After(pause)
		case err != nil:
			log.Error("settling with IRC", "err", err)
		case !sum.Empty():
			log.Info("settled with IRC", "done", sum.String())
		}
	}
}

// settle asks an outlet what became of the reminders that wait there.
func (a *app) settle(ctx context.Context, c *config.Config, outlet notify.Outbox, log *slog.Logger) (reminder.Summary, error) {
	q, err := a.open(c)
	if err != nil {
		return reminder.Summary{}, err
	}
	s := &reminder.Service{Queue: q, IRC: outlet, Log: log}
	return s.Settle(ctx)
}

// takeBackTime bounds how long a person waits until what was changed is taken
// back from IRC.
const takeBackTime = 3 * time.Second

// takeBack takes back what waits on IRC of the reminders that a person has
// changed, where that can be done at once. Else the next run does it.
func (a *app) takeBack(ctx context.Context) {
	log := a.log(slog.LevelError)
	q, c, err := a.openQueue()
	if err != nil || !outbox.Exists(q.State) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, takeBackTime)
	defer cancel()
	outlet, done, err := outboxOf(q.State, log)
	if err == nil {
		_, err = a.settle(ctx, c, outlet, log)
		err = errors.Join(err, done())
	}
	if err != nil {
		log.Debug("not taken back from IRC yet", "err", err)
	}
}

// outboxOf returns the outbox of a state directory, by the door or from the
// disk. It connects nowhere. done must be called.
func outboxOf(state string, log *slog.Logger) (o ircOutlet, done func() error, err error) {
	remote, err := outbox.Dial(state)
	if err == nil {
		return remote, func() error { return nil }, nil
	}
	if !errors.Is(err, outbox.ErrNotServed) {
		return nil, nil, err
	}
	_, own, err := openOutbox(state, log)
	if err != nil {
		return nil, nil, err
	}
	return own, own.Close, nil
}

// remindsOnIRC reports whether a reminder may go to IRC, or one may wait there
// since the configuration was another.
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

// withIRC gives a run its outlet, where it may want one. done must be called.
// When it can't be had the run goes on, and what is for it waits; done returns
// why.
func (a *app) withIRC(ctx context.Context, s *reminder.Service, c *config.Config) (done func() error) {
	state := s.Queue.State
	if !remindsOnIRC(c, state) {
		return func() error { return nil }
	}
	outlet, done, err := a.outlet(ctx, c, state, s.Log)
	if err != nil {
		return a.withOutbox(s, err)
	}
	s.IRC = outlet
	if _, alone := outlet.(*outbox.Outbox); alone {
		s.Await = func(ctx context.Context, keys []string) {
			if _, err := await(ctx, outlet, awaitTime, keys); err != nil {
				s.Log.Error("waiting for IRC", "err", err)
			}
		}
	}
	return done
}

// withOutbox gives a run the outbox alone, where nobody can speak for that
// reason: what waits can be taken back all the same.
func (a *app) withOutbox(s *reminder.Service, why error) func() error {
	outlet, closeIt, err := outboxOf(s.Queue.State, s.Log)
	if err != nil {
		s.IRC = notify.FailingOutbox{Err: why}
		return func() error { return nil } // every call says it
	}
	s.IRC = outlet
	return func() error { return errors.Join(why, closeIt()) }
}
