package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"time"

	"vext/internal/backoff"
	"vext/internal/config"
	"vext/internal/hint"
	"vext/internal/target"
	"vext/notify"
	"vext/notify/irc"
	"vext/notify/xmpp"
	"vext/outbox"
	"vext/reminder"
)

// An Outbox is a notify.Outbox with its state.
type Outbox interface {
	notify.Outbox
	Status(context.Context) (json.RawMessage, error)
	Drop(ctx context.Context, to string) (int, error)
}

// A dispatcher is the outbox of this process with the transports that deliver its
// messages.
type dispatcher struct {
	*outbox.Outbox
	irc     *irc.Client
	xmpp    *xmpp.Transport
	account *account // of xmpp; nil when there is none
}

// transports returns the transports as the outbox has them.
func (d *dispatcher) transports() notify.Transports {
	return notify.Transports{target.IRC: d.irc, target.XMPP: d.xmpp}
}

// newDispatcher returns the dispatcher of this process, with the outbox locked. The error
// is outbox.ErrInUse while another process has the outbox. a may be nil.
func (s *Server) newDispatcher(state string, a *account) (*dispatcher, error) {
	settings, err := ircSettings(s.Config)
	if err != nil {
		return nil, hint.Wrap(err, ircHint)
	}
	d, err := s.openDispatcher(state, a)
	if err != nil {
		return nil, err
	}
	d.irc.Settings, d.irc.Dial = settings, (&net.Dialer{}).DialContext
	return d, nil
}

// openDispatcher returns a dispatcher that only changes the outbox. Its client of IRC has
// no settings, so it must not be run.
func (s *Server) openDispatcher(state string, a *account) (*dispatcher, error) {
	d := &dispatcher{irc: irc.NewClient(), xmpp: newXMPP(s.Config, a), account: a}
	d.irc.Log, d.irc.Now = s.Log, time.Now
	d.xmpp.Log, d.xmpp.Now = s.Log, time.Now
	var err error
	if d.Outbox, err = outbox.Open(state, d.transports(), time.Now); err != nil {
		return nil, err
	}
	if d.Quarantined != "" {
		s.Log.Error("the outbox was damaged; a new one was made", "quarantined", d.Quarantined)
	}
	return d, nil
}

// openForService returns the dispatcher of the service, which must be closed after its
// last use.
func (s *Server) openForService(ctx context.Context, state string) (*dispatcher, error) {
	a, err := s.xmpp()
	if err != nil {
		return nil, err
	}
	d, err := s.newDispatcher(state, a)
	if errors.Is(err, outbox.ErrInUse) {
		s.Log.Info("waiting for another vext that uses the outbox")
		err = whileInUse(ctx, serveWait, func() error {
			d, err = s.newDispatcher(state, a)
			return err
		})
	}
	if errors.Is(err, outbox.ErrInUse) {
		return nil, hint.Wrap(err, "another vext follow, run or notify uses the outbox and does not end")
	}
	if err != nil {
		return nil, err
	}
	d.keep(s.Config)
	return d, nil
}

// keep keeps the transports connected to the targets of a configuration.
func (d *dispatcher) keep(c *config.Config) {
	var all []string
	for _, n := range c.Announce {
		all = append(all, n.To...)
	}
	for _, r := range c.Routes {
		all = append(all, r.To...)
	}
	for _, to := range all {
		switch target.Protocol(to) {
		case target.IRC:
			d.irc.Keep = append(d.irc.Keep, to)
		case target.XMPP:
			d.xmpp.Keep = append(d.xmpp.Keep, to)
		}
	}
}

// How long to wait for another process to release the outbox, how long vext serve
// waits, and the pause between two attempts.
const (
	outboxWait = 10 * time.Second
	serveWait  = 45 * time.Second
	outboxStep = 100 * time.Millisecond
)

// whileInUse calls open again while another process has the outbox, for at most that time.
func whileInUse(ctx context.Context, limit time.Duration, open func() error) error {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := open()
		if !errors.Is(err, outbox.ErrInUse) {
			return err
		}
		if backoff.Sleep(bounded, outboxStep) != nil {
			return cmp.Or(ctx.Err(), err)
		}
	}
}

// outbox returns the outbox of the process that keeps the connections. When there is no
// such process, it opens the outbox and delivers until done is called.
func (s *Server) outbox(ctx context.Context, state string) (o Outbox, done func() error, err error) {
	own := func() (Outbox, func() error, error) {
		a, err := s.newAccount()
		if err != nil {
			return nil, nil, err
		}
		d, err := s.newDispatcher(state, a)
		if err != nil {
			return nil, nil, err
		}
		return d.Outbox, background(ctx, func(ctx context.Context) error {
			return errors.Join(runTasks(ctx, a.run, func(ctx context.Context) error { return s.dispatch(ctx, d) }), d.Close())
		}), nil
	}
	err = whileInUse(ctx, outboxWait, func() error {
		o, done, err = remoteOr(state, own)
		return err
	})
	return o, done, err
}

// LocalOutbox returns the outbox of a state directory, through the control socket
// or from the disk. It connects to nothing. done must be called.
func (s *Server) LocalOutbox(state string) (o Outbox, done func() error, err error) {
	return remoteOr(state, func() (Outbox, func() error, error) {
		d, err := s.openDispatcher(state, nil)
		if err != nil {
			return nil, nil, err
		}
		return d.Outbox, d.Close, nil
	})
}

// remoteOr returns the outbox of the process that serves it. When no process does, it
// returns what own opens.
func remoteOr(state string, own func() (Outbox, func() error, error)) (o Outbox, done func() error, err error) {
	remote, err := outbox.Dial(state)
	switch {
	case err == nil:
		return remote, func() error { return nil }, nil
	case errors.Is(err, outbox.ErrNotServed):
		return own()
	}
	return nil, nil, err
}

// WithoutSecrets returns a valid target without its key, for messages.
func WithoutSecrets(to string) string {
	t, _ := target.Parse(to)
	return t.String()
}

// An OutboxStatus is the state of all connections by which the outbox delivers. As JSON it
// is that of IRC.
type OutboxStatus struct {
	Running  bool                  `json:"running"` // a process keeps the connections
	Networks []irc.NetworkStatus   `json:"networks"`
	XMPP     *xmpp.TransportStatus `json:"-"` // nil when there is neither an account nor a recipient
}

// OutboxStatus returns the state from the process that keeps the connections, or else
// from the outbox.
func (s *Server) OutboxStatus(ctx context.Context, state string) (*OutboxStatus, error) {
	status := &OutboxStatus{Networks: []irc.NetworkStatus{}}
	if !outbox.Exists(state) {
		return status, nil
	}
	o, done, err := s.LocalOutbox(state)
	if err != nil {
		return nil, err
	}
	_, isOwn := o.(*outbox.Outbox)
	status.Running = !isOwn
	data, err := o.Status(ctx)
	if err == nil {
		all := struct {
			IRC  *[]irc.NetworkStatus   `json:"irc"`
			XMPP **xmpp.TransportStatus `json:"xmpp"`
		}{&status.Networks, &status.XMPP}
		err = json.Unmarshal(data, &all)
	}
	return status, errors.Join(err, done())
}

// reviewFirst bounds the wait for the lock before a client connects.
const reviewFirst = 3 * time.Second

// dispatch delivers, and runs the control socket of the outbox, until ctx ends. Before it
// connects it drops the messages of reminders that were changed meanwhile.
func (s *Server) dispatch(ctx context.Context, d *dispatcher) error {
	run := func(ctx context.Context) error {
		within, cancel := context.WithTimeout(ctx, reviewFirst)
		defer cancel()
		if pending, err := d.Pending(within); err != nil || len(pending) > 0 {
			if err := s.reviewOutbox(within, d); err != nil && ctx.Err() == nil {
				s.Log.Info("cannot review the outbox; the next run retries", "err", err)
			}
		}
		return d.transports().Run(ctx, d.Outbox)
	}
	return runTasks(ctx, run, d.Serve)
}

// bounceAgain is the time until a second run looks for bounces, in case the first run did
// not get the lock.
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
	return (&reminder.Service{Queue: q, Outbox: o, Log: s.Log}).ReviewOutbox(ctx)
}

// remindsByOutbox reports whether reminders go to targets, or may be pending for one since
// the configuration was changed.
func remindsByOutbox(c *config.Config, state string) bool {
	return outbox.Exists(state) || reminder.ArePending(state) || slices.ContainsFunc(c.Routes, func(r config.Route) bool {
		return slices.ContainsFunc(r.To, func(to string) bool { return to != config.ByMail })
	})
}

// awaitTime is how long a run without vext serve waits for the outbox.
const awaitTime = 20 * time.Second

// withOutbox gives a run its outbox if reminders go to targets. done must be called. Without a
// connection the run gets the outbox alone, so that pending messages can be dropped, and
// done returns why.
func (s *Server) withOutbox(ctx context.Context, service *reminder.Service) (done func() error) {
	state, nothing := service.Queue.State, func() error { return nil }
	if !remindsByOutbox(s.Config, state) {
		return nothing
	}
	o, done, why := s.outbox(ctx, state)
	if why != nil {
		local, done, err := s.LocalOutbox(state)
		if err != nil {
			service.Outbox = outbox.Failing(why)
			return nothing
		}
		service.Outbox = local
		return func() error { return errors.Join(why, done()) }
	}
	service.Outbox = o
	if _, alone := o.(*outbox.Outbox); alone {
		service.Await = func(ctx context.Context, keys []string) {
			if _, err := await(ctx, o, awaitTime, keys); err != nil {
				s.Log.Error("waiting for the outbox", "err", err)
			}
		}
	}
	return done
}
