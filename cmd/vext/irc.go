package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"vext/internal/backoff"
	"vext/internal/config"
	"vext/internal/target"
	"vext/notify"
	"vext/notify/irc"
	"vext/outbox"
)

// An ircOutlet is a notify.Outbox that can say how things stand.
type ircOutlet interface {
	notify.Outbox
	Status(context.Context) (json.RawMessage, error)
	Drop(ctx context.Context, to string) (int, error)
}

// newIRC returns the client of this process, with the outbox that it has to
// itself. The error is outbox.ErrInUse while another process has it.
func newIRC(c *config.Config, state string, log *slog.Logger) (*irc.Client, *outbox.Outbox, error) {
	settings, err := ircSettings(c)
	if err != nil {
		return nil, nil, hinted{err, "see [irc] and [[network]] in vext.toml(5)"}
	}
	client, o, err := openOutbox(state, log)
	if err != nil {
		return nil, nil, err
	}
	client.Settings, client.Dial = settings, (&net.Dialer{}).DialContext
	return client, o, nil
}

// openOutbox returns a client that takes lines in and takes them back, and must
// not be run: it has no settings.
func openOutbox(state string, log *slog.Logger) (*irc.Client, *outbox.Outbox, error) {
	client := irc.NewClient()
	client.Log, client.Now = log, time.Now
	o, err := outbox.Open(state, client, time.Now)
	if err != nil {
		return nil, nil, err
	}
	if o.Quarantined != "" {
		log.Error("the outbox was damaged; a new one was made", "quarantined", o.Quarantined)
	}
	return client, o, nil
}

// ircSettings returns how to speak on each network, for its targets.
func ircSettings(c *config.Config) (func(*target.Target) irc.Settings, error) {
	usual := irc.Default()
	if err := setIRC(&usual, &c.IRC); err != nil {
		return nil, fmt.Errorf("irc: %w", err)
	}
	networks := map[string]irc.Settings{}
	for i := range c.Networks {
		n := &c.Networks[i]
		server, err := n.Server()
		if err != nil {
			return nil, err
		}
		one := irc.Default()
		if err := setIRC(&one, &n.IRC); err != nil {
			return nil, fmt.Errorf("network %s: %w", n.URL, err)
		}
		networks[server] = one
	}
	return func(t *target.Target) irc.Settings {
		if one, ok := networks[t.Server()]; ok {
			return one
		}
		return usual
	}, nil
}

// setIRC sets what the configuration says; what it does not say stays.
func setIRC(s *irc.Settings, c *config.IRC) error {
	set(&s.Nick, c.Nick)
	set(&s.User, c.User)
	set(&s.Realname, c.Realname)
	set(&s.Connections, c.Connections)
	set(&s.Proxy, c.Proxy)
	if c.SASL != "none" {
		set(&s.SASL, strings.ToUpper(c.SASL))
	}
	set(&s.Account, c.Account)
	if c.Command != "" {
		s.Notice = c.Command == "notice"
	}
	if c.Colors != "" {
		s.NoColors = c.Colors == config.NoColors
	}
	setTo(&s.Burst, c.Burst)
	setTo(&s.Rate, c.Rate)
	setTo(&s.BacklogLines, c.BacklogLines)
	setTo(&s.NickServ, c.NickServ)
	if c.BacklogAge != nil {
		s.BacklogAge = c.BacklogAge.Duration
	}
	if c.CA != "" || c.Certificate != "" {
		tls, err := irc.TLSConfig(c.CA, c.Certificate, c.Key)
		if err != nil {
			return err
		}
		s.TLS = tls
	}
	password, err := c.Secret()
	if err != nil {
		return err
	}
	set(&s.Password, password)
	password, err = c.ServerSecret()
	set(&s.ServerPassword, password)
	return err
}

// set sets what is not the zero value, setTo what there is.
func set[T comparable](to *T, value T) {
	var zero T
	if value != zero {
		*to = value
	}
}

func setTo[T any](to *T, value *T) {
	if value != nil {
		*to = *value
	}
}

// openIRC returns the client of the service, and its outbox, which is to be
// closed when nobody takes lines in any more.
func (a *app) openIRC(ctx context.Context, c *config.Config, state string, log *slog.Logger) (*irc.Client, *outbox.Outbox, error) {
	client, o, err := newIRC(c, state, log)
	if errors.Is(err, outbox.ErrInUse) {
		log.Info("waiting for another vext, which is telling something on IRC")
	}
	bounded, cancel := context.WithTimeout(ctx, serveWait)
	defer cancel()
	for errors.Is(err, outbox.ErrInUse) && backoff.Sleep(bounded, outboxStep) == nil {
		client, o, err = newIRC(c, state, log)
	}
	if ctx.Err() != nil && err != nil {
		return nil, nil, ctx.Err()
	}
	if errors.Is(err, outbox.ErrInUse) {
		return nil, nil, hinted{err, "another vext follow, run or notify speaks on IRC and does not end"}
	}
	if err != nil {
		return nil, nil, err
	}
	for _, n := range c.Announce {
		client.Keep = append(client.Keep, n.To...)
	}
	for _, r := range c.Routes {
		client.Keep = append(client.Keep, slices.DeleteFunc(slices.Clone(r.To), func(to string) bool { return to == config.ByMail })...)
	}
	return client, o, nil
}

// How long to wait for another process that is about to let the outbox go, how
// long vext serve does, and how long between two looks.
const (
	outboxWait = 10 * time.Second
	serveWait  = 45 * time.Second
	outboxStep = 100 * time.Millisecond
)

// outlet returns what takes lines for IRC: the vext that keeps the connections,
// or, where none runs, a client of this process, for as long as it is at work.
// done must be called.
func (a *app) outlet(ctx context.Context, c *config.Config, state string, log *slog.Logger) (o ircOutlet, done func() error, err error) {
	bounded, cancel := context.WithTimeout(ctx, outboxWait)
	defer cancel()
	for {
		remote, err := outbox.Dial(state)
		if err == nil {
			return remote, func() error { return nil }, nil
		}
		if !errors.Is(err, outbox.ErrNotServed) {
			return nil, nil, err
		}
		client, o, err := newIRC(c, state, log)
		if err == nil {
			return o, background(ctx, func(ctx context.Context) error {
				return errors.Join(a.speak(ctx, c, client, o, log), o.Close())
			}), nil
		}
		if !errors.Is(err, outbox.ErrInUse) {
			return nil, nil, err
		}
		if backoff.Sleep(bounded, outboxStep) != nil {
			return nil, nil, cmp.Or(ctx.Err(), err)
		}
	}
}

// background runs a task until the function that it returns is called, which
// returns the task's error.
func background(ctx context.Context, t task) func() error {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- guarded(ctx, t) }()
	return func() error {
		cancel()
		return <-ended
	}
}

// withoutSecrets returns a target as a person may see it, of a URL that was
// parsed before.
func withoutSecrets(to string) string {
	t, _ := target.Parse(to)
	return t.String()
}
