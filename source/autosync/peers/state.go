package peers

import (
	"slices"
	"strings"
	"sync"
	"time"

	"vext/internal/text"
)

// maxPeers bounds the machines that a link remembers.
const maxPeers = 200

// A state is that of a link, with the methods of Link that show it.
type state struct {
	name string
	now  func() time.Time

	mu          sync.Mutex
	isConnected bool
	since       time.Time
	err         string
	peers       map[string]Peer
}

// String implements Link.
func (s *state) String() string { return s.name }

// Status implements Link.
func (s *state) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := Status{Link: s.name, Connected: s.isConnected, Since: s.since, Error: s.err, Peers: []Peer{}}
	for _, p := range s.peers {
		status.Peers = append(status.Peers, p)
	}
	slices.SortFunc(status.Peers, func(a, b Peer) int { return strings.Compare(a.Name, b.Name) })
	return status
}

// connected records that the link is there.
func (s *state) connected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isConnected, s.since, s.err = true, s.now(), ""
}

// disconnected records that the link is lost, and why. Nobody is known to be online then.
func (s *state) disconnected(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isConnected {
		s.isConnected, s.since = false, s.now()
	}
	s.err = ""
	if err != nil {
		s.err = text.OneLine(err.Error())
	}
	for name, p := range s.peers {
		p.Online = false
		s.peers[name] = p
	}
}

// seen records that a machine is there, or no longer.
func (s *state) seen(name string, isOnline bool) {
	s.peer(name, func(p *Peer) { p.Online = isOnline })
}

// hasPushed records that a machine has pushed.
func (s *state) hasPushed(name string) {
	s.peer(name, func(p *Peer) { p.Online, p.LastPush = true, p.Seen })
}

// peer changes what is known of a machine.
func (s *state) peer(name string, change func(*Peer)) {
	name = text.OneLine(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	p, isKnown := s.peers[name]
	if name == "" || !isKnown && len(s.peers) >= maxPeers {
		return
	}
	if s.peers == nil {
		s.peers = map[string]Peer{}
	}
	p.Name, p.Seen = name, s.now()
	change(&p)
	s.peers[name] = p
}
