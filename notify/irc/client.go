// Package irc is the transport to IRC: it takes messages from an outbox, which keeps each
// until the server has confirmed it.
package irc

import (
	"context"
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
	c.mu.Lock()
	c.ctx, c.queue = ctx, q
	for _, r := range q.Recipients(true) {
		c.targets[r.URL] = true
	}
	c.mu.Unlock()
	var recipients []notify.Recipient
	var err error
	for _, url := range c.Keep {
		t, parseErr := target.Parse(url)
		if parseErr != nil {
			err = parseErr
			continue
		}
		recipients = append(recipients, recipientOf(&t))
	}
	recipients = append(recipients, q.Recipients(false)...)
	c.Wake(recipients)
	for _, r := range recipients {
		c.wasAway(r.URL)
	}
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

// awayTime is how long the messages for a target have been pending, and how long ago the
// last was delivered, for us to have been away.
const awayTime = 5 * time.Minute

// wasAway lets the backlog of a target be summarized that was left when vext last ran,
// unless that was a moment ago.
func (c *Client) wasAway(url string) {
	b, err := c.queue.Backlog(url)
	if now := c.Now(); err != nil || b.Count == 0 || now.Sub(b.Oldest) < awayTime || now.Sub(b.Delivered) < awayTime {
		return
	}
	if n := c.networkOf(url); n != nil {
		n.wasAway(url)
	}
}

// networkOf returns the network of a target, nil when there is none.
func (c *Client) networkOf(url string) *network {
	t, err := target.Parse(url)
	if err != nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.networks[serverOf(&t)]
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
			c.wake(t, r.URL)
		}
	}
}

// wake wakes the network of a target.
func (c *Client) wake(t target.Target, url string) {
	c.mu.Lock()
	c.targets[url] = true
	if c.ctx == nil {
		c.mu.Unlock()
		return
	}
	n := c.networks[serverOf(&t)]
	if n == nil {
		n = newNetwork(c, t)
		c.networks[serverOf(&t)] = n
	}
	c.mu.Unlock()
	n.wake(t, url)
}

// Accept implements notify.Transport. A text of several lines becomes as many messages,
// unless it has a key. A message without text is not stored: its target is only joined.
func (c *Client) Accept(all []notify.Message) (single []notify.Message, recipients []notify.Recipient, err error) {
	known := map[string]target.Target{}
	for i := range all {
		t, err := target.Parse(all[i].Target)
		if err != nil {
			return nil, nil, err
		}
		r := recipientOf(&t)
		if known[r.URL].Key == "" {
			known[r.URL] = t
		}
		texts := lines(all[i].Text)
		if all[i].Key != "" && len(texts) > 0 {
			texts = []string{strings.Join(texts, "\n")} // one outcome for all
		}
		for j, text := range texts {
			one := all[i]
			if one.Target, one.Text = r.URL, text; j > 0 {
				one.Commits = 0
			}
			single = append(single, one)
		}
	}
	for url := range known {
		t := known[url]
		recipients = append(recipients, recipientOf(&t))
	}
	return single, recipients, c.checkBounds(known)
}

// Bounds on the targets that others can name.
const (
	maxTargets  = 2000
	maxNetworks = 200
)

// checkBounds returns an error when there would be too many targets with these.
func (c *Client) checkBounds(targets map[string]target.Target) error {
	newTargets, newNetworks := 0, map[string]bool{}
	c.mu.Lock()
	defer c.mu.Unlock()
	for url, t := range targets {
		if !c.targets[url] {
			newTargets++
		}
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

// recipientOf returns a target as the outbox knows it: with or without its key it is one
// channel.
func recipientOf(t *target.Target) notify.Recipient {
	bare := *t
	bare.Key = ""
	return notify.Recipient{URL: bare.URL(), Secret: t.Key}
}

// Problem implements notify.Transport.
func (c *Client) Problem(url string) string {
	if n := c.networkOf(url); n != nil {
		return n.problem(url)
	}
	return ""
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
	for _, r := range q.Recipients(true) {
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

// fill adds what the queue knows of a target. It leaves out what can't be read.
func (s *ChannelStatus) fill(q notify.Queue, url string) {
	b, _ := q.Backlog(url)
	s.Backlog, s.Oldest, s.Delivered = b.Count, b.Oldest, b.Delivered
	s.Bounced, s.LastBounced, s.LastReason = b.Bounced, b.LastBounced, b.LastReason
}

// context returns that of the run, one that has ended when there is none.
func (c *Client) context() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		return ended
	}
	return c.ctx
}
