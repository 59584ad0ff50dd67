package irc

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"vext/internal/target"
	"vext/notify"
)

// A network divides its recipients among as many connections as are needed.
type network struct {
	client   *Client
	server   target.Target // of any of its targets
	settings Settings
	log      *slog.Logger

	mu      sync.Mutex
	links   []*link
	waiting []*recipient // without a link
	all     []*recipient
}

// wake makes a recipient for a target, unless there is one, and wakes its link.
func (n *network) wake(t target.Target, url string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if i := slices.IndexFunc(n.all, func(r *recipient) bool { return r.url == url }); i >= 0 {
		n.all[i].wake(t.Key)
	} else {
		r := newRecipient(t, url)
		r.isAway = notify.WasAway(n.client.queue, url, n.client.Now())
		n.all = append(n.all, r)
		n.waiting = append(n.waiting, r)
	}
	if len(n.links) == 0 {
		n.addLink()
	}
	n.wakeLinks()
}

// wakeLinks says that a recipient has something new, or no link.
func (n *network) wakeLinks() {
	for _, l := range n.links {
		select {
		case l.wakeups <- struct{}{}:
		default: // it will look
		}
	}
}

// addLink starts another connection.
func (n *network) addLink() {
	l := &link{network: n, number: len(n.links), wakeups: make(chan struct{}, 1)}
	if l.number > 0 {
		l.status.Number = l.number + 1
	}
	n.links = append(n.links, l)
	n.client.start(l.run)
}

// claim gives recipients without a link to a link, as many as it has capacity for. When all
// links are full, it adds another.
func (n *network) claim(l *link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting = slices.DeleteFunc(n.waiting, func(r *recipient) bool {
		if !n.client.Now().Before(r.retry) {
			r.full = nil
		}
		if slices.Contains(r.full, l) || !l.hasCapacity(&r.target) {
			return false
		}
		r.retry = time.Time{}
		l.recipients = append(l.recipients, r)
		return true
	})
	wanted := slices.ContainsFunc(n.waiting, func(r *recipient) bool { return !r.target.IsPerson })
	if wanted && l == n.links[len(n.links)-1] && len(n.links) < n.settings.Connections {
		n.addLink()
	}
}

// release takes back a recipient for which a link has no capacity. Another link may have.
func (n *network) release(r *recipient) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting = append(n.waiting, r)
	n.wakeLinks()
}

// noteAway records that the network was unavailable, for the recipients without a link.
func (n *network) noteAway() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.waiting {
		r.isAway = true
	}
}

// problem returns why nothing is delivered to a target, "" when nothing is known.
func (n *network) problem(url string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if i := slices.IndexFunc(n.all, func(r *recipient) bool { return r.url == url }); i >= 0 {
		if problem := n.all[i].status().Problem; problem != "" {
			return problem
		}
	}
	for _, l := range n.links {
		l.mu.Lock()
		s := l.status
		l.mu.Unlock()
		if s.State != "connected" && s.Error != "" {
			return s.Error
		}
	}
	return ""
}

// status returns the state of the network, and adds the URLs of its targets to live.
func (n *network) status(live map[string]bool) NetworkStatus {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := NetworkStatus{Network: n.server.Network(), Links: []LinkStatus{}, Channels: []ChannelStatus{}}
	for _, l := range n.links {
		l.mu.Lock()
		s.Links = append(s.Links, l.status)
		l.mu.Unlock()
	}
	for _, r := range n.all {
		live[r.url] = true
		c := r.status()
		c.fill(n.client.queue, r.url)
		s.Channels = append(s.Channels, c)
	}
	return s
}
