package xmpp

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"mellium.im/xmpp/jid"
	"vext/internal/backoff"
	"vext/internal/hint"
	"vext/internal/text"
	"vext/notify"
)

// A Client keeps a connection to the server of an account. It is a Connection, and safe for
// use by many goroutines.
type Client struct {
	o                  Options
	jid, local, domain string // normalised
	tls                *tls.Config
	pace               pace
	resource           string // that is wanted
	wake               chan struct{}

	mu       sync.Mutex
	handlers []Handler
	session  *session // nil while there is none
	status   Status
}

// A pace is how long a Client waits.
type pace struct {
	retry    backoff.Backoff
	soon     time.Duration   // the longest pause while there was a connection lately
	lately   time.Duration   // for so long
	rejected backoff.Backoff // between logins that the server rejects
	steady   time.Duration   // a connection that lasted so long has not failed

	dial, login, write, leave time.Duration // bounds of what may not answer
	ping, answer              time.Duration // between two pings, and for the answer
}

// A frozen server is noticed after ping and answer, and reached again after soon, a quarter
// of it, and login.
var usual = pace{
	retry: backoff.Backoff{Min: time.Second, Max: 2 * time.Minute}, soon: 8 * time.Second, lately: time.Hour,
	rejected: backoff.Backoff{Min: time.Minute, Max: 10 * time.Minute}, steady: time.Minute,
	dial: 10 * time.Second, login: 20 * time.Second, write: 15 * time.Second, leave: time.Second / 2,
	ping: 30 * time.Second, answer: 15 * time.Second,
}

// New checks the options. It does not connect.
func New(o Options) (*Client, error) {
	account, err := jid.Parse(o.JID)
	switch {
	case err != nil:
		return nil, fmt.Errorf("jid %q: %w", o.JID, err)
	case account.Localpart() == "" || account.Resourcepart() != "":
		return nil, hint.Wrap(fmt.Errorf("jid %q is no account", o.JID), "write it as in jane@example.org, without a resource")
	case o.Password == "" || !utf8.ValidString(o.Password):
		return nil, fmt.Errorf("there is no password for %s", account)
	case !utf8.ValidString(o.Resource) || len(o.Resource) > 200:
		return nil, fmt.Errorf("resource %.200q is too long, or not UTF-8", o.Resource)
	}
	if o.Server != "" {
		if host, port, err := net.SplitHostPort(o.Server); err != nil || host == "" || port == "" {
			return nil, hint.Wrap(fmt.Errorf("server %q is no host and port", o.Server), "write it as in xmpp.example.org:5222")
		}
	}
	name, err := idna.Lookup.ToASCII(account.Domainpart())
	if err != nil {
		name = account.Domainpart() // an IP address, or a name of a local network
	}
	if o.Now == nil {
		return nil, errors.New("xmpp: Options.Now is missing")
	}
	if o.Resource == "" {
		host, _ := os.Hostname()
		o.Resource = strings.TrimSuffix("vext-"+text.OneLine(host), "-")
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.Lookup == nil {
		o.Lookup = net.DefaultResolver.LookupSRV
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Client{o: o, jid: account.String(), local: account.Localpart(), domain: account.Domainpart(), pace: usual, wake: make(chan struct{}, 1)}
	c.tls = &tls.Config{}
	if o.TLS != nil {
		c.tls = o.TLS.Clone()
	}
	c.tls.ServerName, c.tls.InsecureSkipVerify = name, false
	c.tls.MinVersion = max(c.tls.MinVersion, tls.VersionTLS12)
	c.status = Status{Account: c.jid, Server: o.Server}
	c.rename()
	return c, nil
}

// rename wants another resource from now on, so that two instances on one host do not take
// it from each other.
func (c *Client) rename() {
	unique := make([]byte, 4)
	rand.Read(unique)
	c.resource = c.o.Resource + "-" + hex.EncodeToString(unique)
}

// Handle implements Connection.
func (c *Client) Handle(h Handler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handlers = append(c.handlers, h)
}

// Status implements Connection.
func (c *Client) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

func (c *Client) update(change func(*Status)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.status)
}

// current returns the session, or why there is none.
func (c *Client) current() (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.session != nil:
		return c.session, nil
	case c.status.Error != "":
		return nil, &notify.UnavailableError{Err: fmt.Errorf("%w: %s", ErrNotConnected, c.status.Error)}
	}
	return nil, &notify.UnavailableError{Err: ErrNotConnected}
}

// Send implements Connection. A handler must not call it: the answer that it waits for
// arrives where handlers run.
func (c *Client) Send(ctx context.Context, m Message) error {
	e, err := m.element()
	if err != nil {
		return &notify.PermanentError{Err: err}
	}
	s, err := c.current()
	if err != nil {
		return err
	}
	return s.deliver(ctx, e)
}

// SendPresence implements Connection.
func (c *Client) SendPresence(ctx context.Context, to string, p PresenceOptions) error {
	e, err := p.element(to)
	if err != nil {
		return &notify.PermanentError{Err: err}
	}
	s, err := c.current()
	if err == nil {
		_, err = s.write(ctx, e, false)
	}
	return err
}

// Wake makes a client that is not connected retry at once, and another one find out
// whether its connection still works: the machine was suspended, or is in another network.
func (c *Client) Wake() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Run keeps the connection until ctx ends.
func (c *Client) Run(ctx context.Context) error {
	failures, rejections := 0, 0
	last, lastError := c.o.Now(), ""
	for {
		began := c.o.Now()
		connected, err := c.serve(ctx)
		if ctx.Err() != nil {
			c.update(func(s *Status) { s.Connected, s.Self, s.Error, s.Retry = false, "", "", time.Time{} })
			return nil
		}
		now := c.o.Now()
		if failures++; connected {
			last, lastError = now, ""
			if rejections = 0; now.Sub(began) >= c.pace.steady {
				failures = 1
			}
		}
		if isConflict(err) {
			c.rename()
		}
		pause := c.pace.retry.After(failures)
		if now.Sub(last) < c.pace.lately {
			pause = min(pause, c.pace.soon)
		}
		if isRejected(err) {
			rejections++
			pause = c.pace.rejected.After(rejections)
		}
		pause = backoff.Jitter(pause, mathrand.Float64)
		lastError = c.report(c.explain(err), lastError, now.Add(pause))
		c.sleep(ctx, pause, isRejected(err))
	}
}

// report says why there is no connection, once for each reason.
func (c *Client) report(err error, last string, retry time.Time) string {
	reason := err.Error()
	c.update(func(s *Status) { s.Error, s.Retry = reason, retry })
	level := slog.LevelWarn
	if reason == last {
		level = slog.LevelDebug
	}
	attrs := []any{"account", c.jid, "server", c.Status().Server, "error", reason}
	if text := hint.Of(err); text != "" {
		attrs = append(attrs, "hint", text)
	}
	c.o.Log.Log(context.Background(), level, "xmpp: not connected", attrs...)
	return reason
}

// sleep waits for a pause, which Wake ends, but not for a login that the server rejects.
func (c *Client) sleep(ctx context.Context, pause time.Duration, isRejected bool) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-c.wake:
			if isRejected {
				continue
			}
		case <-timer.C:
		case <-ctx.Done():
		}
		return
	}
}

// serve connects, and handles what arrives until the connection is lost.
func (c *Client) serve(ctx context.Context) (connected bool, err error) {
	stream, self, err := c.connect(ctx)
	if err != nil {
		return false, err
	}
	c.mu.Lock()
	s := newSession(stream, self, c.handlers, c.pace)
	c.mu.Unlock()
	s.ready = func() {
		connected = true
		c.mu.Lock()
		c.session = s
		c.status.Connected, c.status.Self, c.status.Since, c.status.Error, c.status.Retry = true, self, c.o.Now(), "", time.Time{}
		c.mu.Unlock()
		c.o.Log.Info("xmpp: connected", "account", c.jid, "server", c.Status().Server, "as", self)
		for _, h := range s.handlers {
			if h.Connected != nil {
				h.Connected(self)
			}
		}
	}
	err = s.run(ctx, c.wake)
	if !connected {
		return false, err
	}
	c.mu.Lock()
	c.session = nil
	c.status.Connected, c.status.Self, c.status.Since = false, "", c.o.Now()
	c.mu.Unlock()
	reason := c.explain(err)
	for _, h := range s.handlers {
		if h.Disconnected != nil {
			h.Disconnected(reason)
		}
	}
	return true, err
}
