// Package irc tells lines on IRC, and loses none: what it takes is on disk, and
// stays there until the server has confirmed it.
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

// A Client takes lines into an outbox and tells them while it runs. It is a
// notify.Outbox, and safe for use by many goroutines.
type Client struct {
	outbox   *Outbox
	Settings func(*target.Target) Settings // of the network that a target is on
	Keep     []string                      // URLs of targets to be joined though there is nothing to tell
	Dial     DialFunc
	Log      *slog.Logger
	Now      func() time.Time
	Check    func() error // whether lines may be taken in now; nil for always

	mu       sync.Mutex
	ctx      context.Context // while it runs
	targets  map[string]bool // that are known, by their URLs
	networks map[string]*network
	links    sync.WaitGroup
}

// NewClient returns a client with an outbox, which it does not close.
func NewClient(o *Outbox) *Client {
	c := &Client{outbox: o, targets: map[string]bool{}, networks: map[string]*network{}}
	for _, url := range o.targets(true) {
		c.targets[url] = true
	}
	return c
}

// Run keeps the connections until ctx ends. It returns when all are closed.
func (c *Client) Run(ctx context.Context) error {
	c.mu.Lock()
	c.ctx = ctx
	c.mu.Unlock()
	var err error
	for _, url := range slices.Concat(c.Keep, c.outbox.targets(false)) {
		t, parseErr := target.Parse(url)
		if parseErr != nil {
			err = parseErr // it was parsed when it was put there
			continue
		}
		if t.Key == "" {
			t.Key = c.outbox.key(url)
		}
		c.knows(t, urlOf(&t))
		c.wasAway(&t)
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

// awayTime is how long the lines of a target have waited, and how long ago the
// last was told, for us to have been away.
const awayTime = 5 * time.Minute

// wasAway lets the backlog of a target be told in one line that was left when
// vext last ran, unless that was a moment ago.
func (c *Client) wasAway(t *target.Target) {
	b, oldest, err := c.outbox.backlog(urlOf(t))
	if now := c.Now(); err != nil || b.Count == 0 || now.Sub(oldest) < awayTime || now.Sub(b.Told) < awayTime {
		return
	}
	c.mu.Lock()
	n := c.networks[serverOf(t)]
	c.mu.Unlock()
	if n != nil {
		n.wasAway(urlOf(t))
	}
}

// start runs a link's goroutine, unless the client has been told to end.
func (c *Client) start(run func(context.Context)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx := c.ctx; ctx != nil {
		c.links.Go(func() { run(ctx) })
	}
}

// knows wakes the network of a target.
func (c *Client) knows(t target.Target, url string) {
	c.mu.Lock()
	c.targets[url] = true
	if c.ctx == nil {
		c.mu.Unlock()
		return // it is told when there is somebody who tells
	}
	n := c.networks[serverOf(&t)]
	if n == nil {
		n = newNetwork(c, t)
		c.networks[serverOf(&t)] = n
	}
	c.mu.Unlock()
	n.knows(t, url)
}

// Put implements notify.Outbox. A text of several lines is taken as so many,
// unless it has a key; a line without text is not stored, and only joins.
func (c *Client) Put(ctx context.Context, all ...notify.Message) error {
	if c.Check != nil {
		if err := c.Check(); err != nil {
			return err
		}
	}
	var single []notify.Message
	var urls []string
	known := map[string]target.Target{}
	for i := range all {
		t, err := target.Parse(all[i].Target)
		if err != nil {
			return err
		}
		url := urlOf(&t)
		if known[url].Key == "" {
			known[url] = t
		}
		texts := lines(all[i].Text)
		if all[i].Key != "" && len(texts) > 0 {
			texts = []string{strings.Join(texts, "\n")} // one outcome for all
		}
		for j, text := range texts {
			one := all[i]
			if one.Text = text; j > 0 {
				one.Commits = 0
			}
			single, urls = append(single, one), append(urls, url)
		}
	}
	if err := c.hasRoom(known); err != nil {
		return err
	}
	if len(single) > 0 {
		keys := map[string]string{}
		for url, t := range known {
			keys[url] = t.Key
		}
		if err := c.outbox.put(ctx, c.Now(), single, urls, keys); err != nil {
			return fmt.Errorf("outbox of IRC: %w", err)
		}
	}
	for url, t := range known {
		c.knows(t, url)
	}
	return nil
}

// Bounds of what those who may name targets can make us do.
const (
	mostTargets  = 2000
	mostNetworks = 200
)

// hasRoom reports whether there is room for what is new among targets.
func (c *Client) hasRoom(targets map[string]target.Target) error {
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
	case newTargets > 0 && newTargets+len(c.targets) > mostTargets:
		return &notify.PermanentError{Err: fmt.Errorf("more than %d channels and persons on IRC", mostTargets)}
	case len(newNetworks) > 0 && len(newNetworks)+len(c.networks) > mostNetworks:
		return &notify.PermanentError{Err: fmt.Errorf("more than %d networks of IRC", mostNetworks)}
	}
	return nil
}

// urlOf returns by which URL the outbox knows a target: with or without its key
// it is one channel.
func urlOf(t *target.Target) string {
	bare := *t
	bare.Key = ""
	return bare.URL()
}

// Outcomes implements notify.Outbox.
func (c *Client) Outcomes(_ context.Context, keys ...string) (map[string]notify.Outcome, error) {
	found, err := c.outbox.outcomes(keys)
	if err != nil {
		return nil, err
	}
	outcomes := map[string]notify.Outcome{}
	for key, k := range found {
		o := notify.Outcome{Accepted: k.Accepted, Delivered: k.Told, Rejected: k.Rejection}
		if k.isOpen() {
			o.LastError = c.trouble(k.Target)
			if b := c.outbox.waitingAt(k.Target); o.LastError == "" && b > len(keys) {
				o.LastError = fmt.Sprintf("%d lines wait there, which go out at the network's pace", b)
			}
		}
		outcomes[key] = o
	}
	return outcomes, nil
}

// trouble returns why nothing is told to a target, "" when nothing is known.
func (c *Client) trouble(url string) string {
	t, err := target.Parse(url)
	if err != nil {
		return ""
	}
	c.mu.Lock()
	n := c.networks[serverOf(&t)]
	c.mu.Unlock()
	if n == nil {
		return ""
	}
	return n.trouble(url)
}

// Pending implements notify.Outbox.
func (c *Client) Pending(context.Context) ([]string, error) { return c.outbox.waiting() }

// Withdraw implements notify.Outbox.
func (c *Client) Withdraw(ctx context.Context, keys ...string) ([]string, error) {
	return c.outbox.withdraw(ctx, keys)
}

// Forget implements notify.Outbox.
func (c *Client) Forget(ctx context.Context, keys ...string) error {
	return c.outbox.forget(ctx, keys)
}

// Drop takes back what waits for a target, but for reminders, which vext cancel
// takes back, and returns how many lines that were.
func (c *Client) Drop(ctx context.Context, to string) (int, error) {
	t, err := target.Parse(to)
	if err != nil {
		return 0, err
	}
	return c.outbox.drop(ctx, urlOf(&t))
}

// Settled receives a value when reminders have been told or rejected. The receiver
// should then ask for their outcomes.
func (c *Client) Settled() <-chan struct{} { return c.outbox.settled }

// Status returns how things stand, by network: of all targets that the outbox
// knows, also of those that nobody has named since the client began to run.
func (c *Client) Status(context.Context) ([]NetworkStatus, error) {
	c.mu.Lock()
	networks := maps.Clone(c.networks)
	c.mu.Unlock()
	status := map[string]*NetworkStatus{}
	live := map[string]bool{}
	for server, n := range networks {
		s := n.status(live)
		status[server] = &s
	}
	for _, url := range c.outbox.targets(true) {
		t, err := target.Parse(url)
		if err != nil || live[url] {
			continue
		}
		s := status[serverOf(&t)]
		if s == nil {
			s = &NetworkStatus{Network: t.Network(), Links: []LinkStatus{}, Channels: []ChannelStatus{}}
			status[serverOf(&t)] = s
		}
		s.Channels = append(s.Channels, c.idle(&t, url))
	}
	all := []NetworkStatus{}
	for _, server := range slices.Sorted(maps.Keys(status)) {
		all = append(all, *status[server])
	}
	return all, nil
}

// idle returns how things stand with a target for which there is no room.
func (c *Client) idle(t *target.Target, url string) ChannelStatus {
	s := ChannelStatus{Target: t.String(), Name: t.Name, State: "idle"}
	if c.fill(&s, url); s.Backlog > 0 {
		s.State = "waiting"
	}
	return s
}

// fill adds to a status what the outbox knows of a target. It leaves out what can't be
// read.
func (c *Client) fill(s *ChannelStatus, url string) {
	b, oldest, _ := c.outbox.backlog(url)
	s.Backlog, s.Oldest, s.Told = b.Count, oldest, b.Told
	s.Rejected, s.RejectedTime, s.Rejection = b.Rejected, b.RejectedTime, b.Rejection
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
