// Package irc is the transport to IRC: it takes messages from an outbox, which keeps each
// until the server has confirmed it.
package irc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"vext/internal/target"
	"vext/notify"
)

// A Client is a notify.Transport to all networks of IRC. It is safe for use by many
// goroutines.
type Client struct {
	Settings func(*target.Target) Settings // of the network that a target is on
	Keep     []string                      // URLs of targets to join even if nothing is pending
	Dial     DialFunc
	Log      *slog.Logger
	Now      func() time.Time

	mu       sync.Mutex
	queue    notify.Queue
	ctx      context.Context // while it runs
	targets  map[string]bool // that are known, by their URLs
	networks map[string]*network
	links    sync.WaitGroup
}

// NewClient returns a client without connections.
func NewClient() *Client {
	return &Client{targets: map[string]bool{}, networks: map[string]*network{}}
}

// Run implements notify.Transport. It keeps the connections until ctx ends, and returns
// when all are closed.
func (c *Client) Run(ctx context.Context, q notify.Queue) error {
	known, err := q.Recipients(true)
	c.mu.Lock()
	c.ctx, c.queue = ctx, q
	for _, r := range known {
		c.targets[r.URL] = true
	}
	c.mu.Unlock()
	for _, url := range c.Keep {
		t, parseErr := target.Parse(url)
		if err = errors.Join(err, parseErr); parseErr == nil {
			c.Wake([]notify.Recipient{notify.RecipientOf(&t)})
		}
	}
	pending, pendingErr := q.Recipients(false)
	err = errors.Join(err, pendingErr)
	c.Wake(pending)
	<-ctx.Done()
	c.mu.Lock()
	c.ctx = nil // no link begins after this
	c.mu.Unlock()
	c.links.Wait()
	c.mu.Lock()
	clear(c.networks)
	c.mu.Unlock()
	return err
}

// start runs a link's goroutine, unless the client is ending.
func (c *Client) start(run func(context.Context)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx := c.ctx; ctx != nil {
		c.links.Go(func() { run(ctx) })
	}
}

// Wake implements notify.Transport.
func (c *Client) Wake(recipients []notify.Recipient) {
	for _, r := range recipients {
		if t, err := target.Parse(r.URL); err == nil {
			t.Key = r.Secret
			if n := c.use(t, r.URL); n != nil {
				n.wake(t, r.URL)
			}
		}
	}
}

// use returns the network of a target that is known from now on, nil while the client does
// not run.
func (c *Client) use(t target.Target, url string) *network {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.targets[url] = true
	server := serverOf(&t)
	if c.ctx != nil && c.networks[server] == nil {
		log := c.Log.With("network", t.Network())
		c.networks[server] = &network{client: c, server: t, settings: c.Settings(&t), log: log}
	}
	return c.networks[server]
}

// Accept implements notify.Transport. A text of several lines becomes as many messages,
// unless it has a key. A message without text is not stored: its target is only joined.
func (c *Client) Accept(all []notify.Message) (single []notify.Message, recipients []notify.Recipient, err error) {
	addressed, recipients, err := notify.Addressed(all)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range addressed {
		texts := lines(m.Text)
		if m.Key != "" && len(texts) > 0 {
			texts = []string{strings.Join(texts, "\n")} // one outcome for all
		}
		for j, text := range texts {
			one := m
			if one.Text = text; j > 0 {
				one.Commits = 0
			}
			single = append(single, one)
		}
	}
	return single, recipients, c.checkBounds(recipients)
}

// Bounds on the targets that others can name.
const (
	maxTargets  = 2000
	maxNetworks = 200
)

// checkBounds returns an error when there would be too many targets with these.
func (c *Client) checkBounds(recipients []notify.Recipient) error {
	newTargets, newNetworks := 0, map[string]bool{}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range recipients {
		if !c.targets[r.URL] {
			newTargets++
		}
		t, _ := target.Parse(r.URL)
		if c.networks[serverOf(&t)] == nil {
			newNetworks[serverOf(&t)] = true
		}
	}
	switch {
	case newTargets > 0 && newTargets+len(c.targets) > maxTargets:
		return &notify.PermanentError{Err: fmt.Errorf("more than %d channels and persons on IRC", maxTargets)}
	case len(newNetworks) > 0 && len(newNetworks)+len(c.networks) > maxNetworks:
		return &notify.PermanentError{Err: fmt.Errorf("more than %d networks of IRC", maxNetworks)}
	}
	return nil
}

// Problem implements notify.Transport.
func (c *Client) Problem(url string) string {
	t, _ := target.Parse(url) // Accept has checked it
	c.mu.Lock()
	n := c.networks[serverOf(&t)]
	c.mu.Unlock()
	if n == nil {
		return ""
	}
	return n.problem(url)
}

// Status implements notify.Transport: it returns a []NetworkStatus with all recipients
// that the queue knows, also those that are not in use.
func (c *Client) Status(q notify.Queue) any {
	c.mu.Lock()
	networks := maps.Clone(c.networks)
	c.mu.Unlock()
	status := map[string]*NetworkStatus{}
	live := map[string]bool{}
	for server, n := range networks {
		s := n.status(live)
		status[server] = &s
	}
	known, _ := q.Recipients(true)
	for _, r := range known {
		t, err := target.Parse(r.URL)
		if err != nil || live[r.URL] {
			continue
		}
		s := status[serverOf(&t)]
		if s == nil {
			s = &NetworkStatus{Network: t.Network(), Links: []LinkStatus{}, Channels: []ChannelStatus{}}
			status[serverOf(&t)] = s
		}
		one := ChannelStatus{Target: t.String(), Name: t.Name, State: "idle"}
		if one.fill(q, r.URL); one.Backlog > 0 {
			one.State = "waiting"
		}
		s.Channels = append(s.Channels, one)
	}
	all := []NetworkStatus{}
	for _, server := range slices.Sorted(maps.Keys(status)) {
		all = append(all, *status[server])
	}
	return all
}

// serverOf returns what the targets of one network have in common: the address and the
// login.
func serverOf(t *target.Target) string {
	return t.Network() + " " + t.User + " " + t.Password
}

// fill adds what the queue knows of a target. It leaves out what can't be read.
func (s *ChannelStatus) fill(q notify.Queue, url string) {
	b, _ := q.Backlog(url)
	s.Backlog, s.Oldest, s.Delivered = b.Count, b.Oldest, b.Delivered
	s.Bounced, s.LastBounced, s.LastReason = b.Bounced, b.LastBounced, b.LastReason
}

// A NetworkStatus is the state of one network.
type NetworkStatus struct {
	Network  string          `json:"network"` // its URL
	Links    []LinkStatus    `json:"connections"`
	Channels []ChannelStatus `json:"channels"` // and persons
}

// A LinkStatus is the state of one connection.
type LinkStatus struct {
	Number      int       `json:"number,omitempty"` // of a further connection, from 2
	State       string    `json:"state"`            // connected, connecting, away
	Since       time.Time `json:"since,omitzero"`   // when it was made, or lost
	Nick        string    `json:"nick,omitempty"`
	ConfirmedBy string    `json:"confirmed_by,omitempty"` // labels or PING
	Confirmed   time.Time `json:"confirmed,omitzero"`     // when the last line was
	Error       string    `json:"error,omitempty"`        // why there is no connection
	Lost        string    `json:"lost,omitempty"`         // why the last one ended
	LostTime    time.Time `json:"lost_time,omitzero"`
}

// A ChannelStatus is the state of one channel or person.
type ChannelStatus struct {
	Target    string    `json:"target"` // URL without secrets
	Name      string    `json:"name"`
	State     string    `json:"state"` // joined, joining, waiting, refused, person, idle
	Since     time.Time `json:"since,omitzero"`
	Problem   string    `json:"problem,omitempty"`
	Failing   time.Time `json:"failing,omitzero"` // since when there is a problem
	Retry     time.Time `json:"retry,omitzero"`   // when it is retried
	Backlog   int       `json:"backlog"`
	Oldest    time.Time `json:"oldest,omitzero"` // of the backlog
	Delivered time.Time `json:"told,omitzero"`   // when the last line was confirmed

	Bounced     int       `json:"rejected,omitempty"` // how many lines have bounced, ever
	LastBounced time.Time `json:"rejected_time,omitzero"`
	LastReason  string    `json:"rejection,omitempty"` // of the last of them
}

// IsConnected reports whether one of the connections is up.
func (n *NetworkStatus) IsConnected() bool {
	for _, l := range n.Links {
		if l.State == "connected" {
			return true
		}
	}
	return false
}

// States returns the states of all channels and persons.
func (n *NetworkStatus) States() (all []notify.RecipientStatus) {
	for _, c := range n.Channels {
		all = append(all, notify.RecipientStatus{
			Target: c.Target, Name: c.Name, State: c.State, Problem: c.Problem, Failing: c.Failing, Retry: c.Retry,
			Backlog: notify.Backlog{
				Count: c.Backlog, Oldest: c.Oldest, Delivered: c.Delivered,
				Bounced: c.Bounced, LastBounced: c.LastBounced, LastReason: c.LastReason,
			},
		})
	}
	return all
}
