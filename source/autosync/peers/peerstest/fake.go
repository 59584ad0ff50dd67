package peerstest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"vext/source/autosync/peers"
)

// A Wire connects Fakes.
type Wire struct {
	mu    sync.Mutex
	links []*Fake
}

// A Fake is a link in memory.
type Fake struct {
	wire *Wire
	host string

	// guarded by wire.mu
	pushed    func(peers.Push) // nil while Run does not run
	announced []peers.Push
	err       error
	seen      map[string]peers.Peer
}

// NewWire returns one without links.
func NewWire() *Wire { return &Wire{} }

// Link returns the link of another machine.
func (w *Wire) Link(host string) *Fake {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := &Fake{wire: w, host: host, seen: map[string]peers.Peer{}}
	w.links = append(w.links, f)
	return f
}

// Break interrupts all links: each says that some pushes may have been missed.
func (w *Wire) Break() {
	for _, deliver := range w.running(nil) {
		deliver(peers.Push{})
	}
}

// running returns the functions of the links that run, but for one.
func (w *Wire) running(but *Fake) (found []func(peers.Push)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.links {
		if f != but && f.pushed != nil {
			found = append(found, f.pushed)
		}
	}
	return found
}

// Fail makes Announce fail with this error, until it is called with nil.
func (f *Fake) Fail(err error) {
	f.wire.mu.Lock()
	defer f.wire.mu.Unlock()
	f.err = err
}

// Announced returns what this machine has announced.
func (f *Fake) Announced() []peers.Push {
	f.wire.mu.Lock()
	defer f.wire.mu.Unlock()
	return slices.Clone(f.announced)
}

// String implements peers.Link.
func (f *Fake) String() string { return "wire of " + f.host }

// Announce implements peers.Link.
func (f *Fake) Announce(ctx context.Context, p peers.Push) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.wire.mu.Lock()
	err := f.err
	if err == nil {
		f.announced = append(f.announced, p)
		for _, other := range f.wire.links {
			if other != f {
				other.seen[p.Host] = peers.Peer{Name: p.Host, Online: true, Seen: someTime, LastPush: someTime}
			}
		}
	}
	f.wire.mu.Unlock()
	if err != nil {
		return err
	}
	for _, deliver := range f.wire.running(f) {
		deliver(p)
	}
	return nil
}

// someTime is the time of everything.
var someTime = time.Unix(1_700_000_000, 0)

// Run implements peers.Link.
func (f *Fake) Run(ctx context.Context, pushed func(peers.Push)) error {
	f.wire.mu.Lock()
	if f.pushed != nil {
		f.wire.mu.Unlock()
		return errors.New("it runs already")
	}
	f.pushed = pushed
	f.wire.mu.Unlock()
	<-ctx.Done()
	f.wire.mu.Lock()
	f.pushed = nil
	f.wire.mu.Unlock()
	return ctx.Err()
}

// Status implements peers.Link.
func (f *Fake) Status() peers.Status {
	f.wire.mu.Lock()
	defer f.wire.mu.Unlock()
	s := peers.Status{Link: f.String(), Connected: f.pushed != nil, Since: someTime, Peers: []peers.Peer{}}
	for _, p := range f.seen {
		s.Peers = append(s.Peers, p)
	}
	if f.err != nil {
		s.Error = f.err.Error()
	}
	return s
}
