package remote

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"vext/internal/backoff"
)

// A poll is the transport for remotes that can't report changes: it lists their refs
// again and again.
//
// The pause is a quarter of the time since the remote last changed, within bounds. So a
// remote that changes often is polled often, and whoever waits for a change waits a
// quarter longer at most.
type poll struct {
	d   *Daemon
	r   *Remote
	ssh *sshTransport // over which it lists, or nil

	mu       sync.Mutex
	latest   refs // until a look has used it
	prefixes []string
}

func newPoll(d *Daemon, r *Remote) *poll { return &poll{d: d, r: r} }

func (p *poll) String() string { return "polling" }

// pollShare is the share of the time since the last change that a pause lasts.
const pollShare = 4

// watch is ready after the first answer.
func (p *poll) watch(ctx context.Context, ready, changed func()) error {
	var last [sha256.Size]byte
	var changedAt time.Time
	for first := true; ; first = false {
		theirs, err := p.ask(ctx)
		if err != nil {
			return err
		}
		sum, now := theirs.sum(), p.d.opts.Now()
		if sum != last {
			last, changedAt = sum, now
		}
		p.mu.Lock()
		p.latest, p.prefixes = theirs, p.r.remotePrefixes()
		p.mu.Unlock()
		if first {
			ready() // which looks
		} else {
			changed() // the clone may have changed, too
		}
		if err := backoff.Sleep(ctx, backoff.Jitter(p.pause(now.Sub(changedAt)), p.d.random)); err != nil {
			return err
		}
	}
}

// pause returns the pause to the next poll.
func (p *poll) pause(unchanged time.Duration) time.Duration {
	if p.r.Interval > 0 {
		return p.r.Interval
	}
	return min(max(unchanged/pollShare, p.d.pace.poll.Min), p.d.pace.poll.Max)
}

// list returns what the poll has just listed, or lists.
func (p *poll) list(ctx context.Context, prefixes []string) (refs, error) {
	p.mu.Lock()
	latest, same := p.latest, slices.Equal(prefixes, p.prefixes)
	p.latest = nil
	p.mu.Unlock()
	if latest != nil && same {
		return latest, nil
	}
	return p.ask(ctx)
}

// ask lists the refs of the remote.
func (p *poll) ask(ctx context.Context) (refs, error) {
	if p.ssh != nil {
		return p.ssh.list(ctx, p.r.remotePrefixes())
	}
	return p.d.lsRemote(ctx, p.r, nil)
}

func (p *poll) environ(ctx context.Context) (env []string, done func()) {
	if p.ssh != nil {
		return p.ssh.environ(ctx)
	}
	return nil, func() {}
}

// sum returns a digest of all refs, for less memory.
func (r refs) sum() (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(r)) {
		fmt.Fprintf(h, "%s %s\n", r[name], name)
	}
	h.Sum(sum[:0])
	return sum
}
