package server

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
	"vext/internal/hint"
	"vext/internal/target"
	"vext/notify"
	"vext/notify/irc"
	"vext/outbox"
)

// An IRCOutbox is a notify.Outbox with its state.
type IRCOutbox interface {
	notify.Outbox
	Status(context.Context) (json.RawMessage, error)
	Drop(ctx context.Context, to string) (int, error)
}

const ircHint = "see [irc] and [[network]] in vext.toml(5)"

// newIRC returns the client of this process, with the outbox locked. The error is
// outbox.ErrInUse while another process has the outbox.
func (s *Server) newIRC(state string) (*irc.Client, *outbox.Outbox, error) {
	settings, err := ircSettings(s.Config)
	if err != nil {
		return nil, nil, hint.Wrap(err, ircHint)
	}
	client, o, err := openOutbox(state, s.Log)
	if err != nil {
		return nil, nil, err
	}
	client.Settings, client.Dial = settings, (&net.Dialer{}).DialContext
	return client, o, nil
}

// openOutbox returns a client that only changes the outbox. It has no settings, so
// it must not be run.
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

// openIRC returns the client of the service, and its outbox, which must be closed
// after its last use.
func (s *Server) openIRC(ctx context.Context, state string) (*irc.Client, *outbox.Outbox, error) {
	client, o, err := s.newIRC(state)
	if errors.Is(err, outbox.ErrInUse) {
		s.Log.Info("waiting for another vext that uses the outbox of IRC")
	}
	bounded, cancel := context.WithTimeout(ctx, serveWait)
	defer cancel()
	for errors.Is(err, outbox.ErrInUse) && backoff.Sleep(bounded, outboxStep) == nil {
		client, o, err = s.newIRC(state)
	}
	if ctx.Err() != nil && err != nil {
		return nil, nil, ctx.Err()
	}
	if errors.Is(err, outbox.ErrInUse) {
		return nil, nil, hint.Wrap(err, "another vext follow, run or notify uses the outbox and does not end")
	}
	if err != nil {
		return nil, nil, err
	}
	for _, n := range s.Config.Announce {
		client.Keep = append(client.Keep, n.To...)
	}
	for _, r := range s.Config.Routes {
		client.Keep = append(client.Keep, slices.DeleteFunc(slices.Clone(r.To), func(to string) bool { return to == config.ByMail })...)
	}
	return client, o, nil
}

// How long to wait for another process to release the outbox, how long vext serve
// waits, and the pause between two attempts.
const (
	outboxWait = 10 * time.Second
	serveWait  = 45 * time.Second
	outboxStep = 100 * time.Millisecond
)

// outbox returns the outbox of the process that keeps the connections to IRC, or
// where none runs a client of this process, which runs until done is called.
func (s *Server) outbox(ctx context.Context, state string) (o IRCOutbox, done func() error, err error) {
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
		client, o, err := s.newIRC(state)
		if err == nil {
			return o, background(ctx, func(ctx context.Context) error {
				return errors.Join(s.runIRC(ctx, client, o), o.Close())
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

// WithoutSecrets returns a valid target without its key, for messages.
func WithoutSecrets(to string) string {
	t, _ := target.Parse(to)
	return t.String()
}

// An IRCStatus is the state of all networks.
type IRCStatus struct {
	Running  bool                `json:"running"` // a process keeps the connections
	Networks []irc.NetworkStatus `json:"networks"`
}

// IRCStatus returns the state from the process that keeps the connections, or else
// from the outbox.
func (s *Server) IRCStatus(ctx context.Context, state string) (*IRCStatus, error) {
	if !outbox.Exists(state) {
		return &IRCStatus{Networks: []irc.NetworkStatus{}}, nil
	}
	o, done, err := s.LocalOutbox(state)
	if err != nil {
		return nil, err
	}
	_, isOwn := o.(*outbox.Outbox)
	status := &IRCStatus{Running: !isOwn}
	data, err := o.Status(ctx)
	if err == nil {
		err = json.Unmarshal(data, &status.Networks)
	}
	return status, errors.Join(err, done())
}

// ircSettings returns the settings of the network of a target.
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

// setIRC sets what the configuration has.
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

// set sets a value that is not zero.
func set[T comparable](to *T, value T) {
	var zero T
	if value != zero {
		*to = value
	}
}

// setTo sets a value that is there.
func setTo[T any](to *T, value *T) {
	if value != nil {
		*to = *value
	}
}
