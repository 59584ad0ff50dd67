// Package peerstest has the suite that every peers.Link passes, and a fake of one for the
// tests of what uses links. Only tests import it.
package peerstest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"vext/source/autosync/peers"
)

// A Setup is the links of three machines of one person, not yet running.
type Setup struct {
	Links    [3]peers.Link
	Stranger peers.Link // of somebody else, at the same server; may be nil
	// Break ends all connections; new ones are possible at once. It may be nil.
	Break func()
	// Named is set if Status names the machines that have pushed.
	Named bool
}

// limit is how long a test waits for what must happen.
const limit = 20 * time.Second

// A machine is a running link, and what it has received.
type machine struct {
	peers.Link
	stop func() error

	mu     sync.Mutex
	pushes []peers.Push
	missed int
	change chan struct{} // closed by the next change
}

// Run tests an implementation. setup returns new links.
func Run(t *testing.T, setup func(t *testing.T) Setup) {
	t.Run("a push arrives at the others", func(t *testing.T) { arrives(t, setup(t)) })
	t.Run("reconnects", func(t *testing.T) { reconnects(t, setup(t)) })
	t.Run("ends", func(t *testing.T) { ends(t, setup(t)) })
}

// start runs the links and waits for all to be connected.
func start(t *testing.T, links ...peers.Link) []*machine {
	t.Helper()
	var machines []*machine
	for _, l := range links {
		m := &machine{Link: l, change: make(chan struct{})}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- l.Run(ctx, m.take) }()
		m.stop = sync.OnceValue(func() error {
			cancel()
			select {
			case err := <-ended:
				return err
			case <-time.After(limit):
				return fmt.Errorf("%s does not end", l)
			}
		})
		t.Cleanup(func() { m.stop() })
		machines = append(machines, m)
	}
	for _, m := range machines {
		connected(t, m)
	}
	return machines
}

// connected waits until a link is connected.
func connected(t *testing.T, m *machine) {
	t.Helper()
	for tries := 0; !m.Status().Connected; tries++ {
		if tries > int(limit/(10*time.Millisecond)) {
			t.Fatalf("%s is not connected: %s", m, m.Status().Error)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// take records a push.
func (m *machine) take(p peers.Push) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.New == "" && p.Remote == "" && p.Repository == "" {
		m.missed++
	} else {
		m.pushes = append(m.pushes, p)
	}
	close(m.change)
	m.change = make(chan struct{})
}

// wait waits until is returns true of what a machine has received.
func (m *machine) wait(t *testing.T, what string, is func() bool) {
	t.Helper()
	timeout := time.After(limit)
	for {
		m.mu.Lock()
		done, change := is(), m.change
		m.mu.Unlock()
		if done {
			return
		}
		select {
		case <-change:
		case <-timeout:
			t.Fatalf("%s: %s did not arrive", m, what)
		}
	}
}

// waitFor waits for a push.
func (m *machine) waitFor(t *testing.T, hash string) (found peers.Push) {
	t.Helper()
	m.wait(t, hash, func() bool {
		i := slices.IndexFunc(m.pushes, func(p peers.Push) bool { return p.New == hash })
		if i >= 0 {
			found = m.pushes[i]
		}
		return i >= 0
	})
	return found
}

// hashes returns the commits that a machine has been notified of.
func (m *machine) hashes() (found []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.pushes {
		found = append(found, p.New)
	}
	return found
}

// announce announces a push of a commit.
func announce(t *testing.T, m *machine, hash string) peers.Push {
	t.Helper()
	p := peers.Push{Repository: "git 1234", Remote: "ssh://example.org/notes", Branch: "main", Old: "0001", New: hash, Host: "alpha",
		URLs: []string{"ssh://alpha.local/notes"}}
	if err := m.Announce(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return p
}

// arrives: what one machine announces arrives at the others, not at itself, not elsewhere.
func arrives(t *testing.T, s Setup) {
	links := s.Links[:]
	if s.Stranger != nil {
		links = append(links, s.Stranger)
	}
	m := start(t, links...)
	want := announce(t, m[0], "000a")
	for _, other := range m[1:3] {
		got := other.waitFor(t, "000a")
		if got.Remote != want.Remote || got.Branch != want.Branch || got.Repository != want.Repository || !slices.Equal(got.URLs, want.URLs) || got.Old != want.Old {
			t.Errorf("%s: %+v, want %+v", other, got, want)
		}
	}
	announce(t, m[1], "000b")
	for _, other := range []*machine{m[0], m[2]} {
		other.waitFor(t, "000b")
	}
	for i, want := range [][]string{{"000b"}, {"000a"}, {"000a", "000b"}, nil} {
		if i < len(m) && !slices.Equal(m[i].hashes(), want) {
			t.Errorf("%d: %q, want %q", i, m[i].hashes(), want)
		}
	}
	status := m[2].Status()
	if status.Link != m[2].String() || status.Since.IsZero() || status.Error != "" || status.Peers == nil {
		t.Errorf("status: %+v", status)
	}
	if s.Named && !slices.ContainsFunc(status.Peers, func(p peers.Peer) bool { return p.Name == "alpha" && !p.LastPush.IsZero() && !p.Seen.IsZero() }) {
		t.Errorf("peers: %+v", status.Peers)
	}
}

// reconnects: a link comes back by itself, and says that some pushes may have been missed.
func reconnects(t *testing.T, s Setup) {
	if s.Break == nil {
		t.Skip()
	}
	m := start(t, s.Links[:]...)
	before := make([]int, len(m))
	for i := range m {
		m[i].mu.Lock()
		before[i] = m[i].missed
		m[i].mu.Unlock()
	}
	s.Break()
	for i := range m {
		m[i].wait(t, "that some were missed", func() bool { return m[i].missed > before[i] })
		connected(t, m[i])
	}
	announce(t, m[0], "000c")
	m[1].waitFor(t, "000c")
	m[2].waitFor(t, "000c")
}

// ends: Run ends with its context, and the others go on.
func ends(t *testing.T, s Setup) {
	m := start(t, s.Links[:]...)
	if err := m[0].stop(); err != context.Canceled && err != nil {
		t.Errorf("%v", err)
	}
	if m[0].Status().Connected {
		t.Error("still connected")
	}
	announce(t, m[1], "000d")
	m[2].waitFor(t, "000d")
}
