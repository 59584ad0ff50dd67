package ircd

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vext/internal/testkit"
)

// A Script is what a scripted server does. The zero Script is a server that
// takes whatever comes, without IRCv3.
type Script struct {
	TLS      *tls.Config // nil for none
	Password string      // of the server

	Caps     []string          // offered, such as "labeled-response"
	Nak      []string          // offered, but refused when asked for
	SASL     []string          // mechanisms; none for no SASL
	Accounts map[string]string // passwords for PLAIN; EXTERNAL wants any certificate
	ISupport []string          // such as "CHANLIMIT=#:20"
	Taken    []string          // nicks that somebody else has

	Refuse     int            // so many registrations are refused with an ERROR
	Joins      map[string]int // channels that cannot be joined, with the numeric
	Messages   map[string]int // targets that reject messages, with the numeric
	SlowPong   time.Duration  // before each PONG
	Silent     bool           // nothing is answered to PRIVMSG, NOTICE and PING
	DropAt     int            // the connection drops at this many a message, not confirmed
	Drops      int            // how often; 0 for once
	FloodAt    int            // lines of a connection after which it is ended for Excess Flood
	Endless    bool           // after the welcome comes a line without an end
	NoWelcome  bool           // registration never ends
	MaxJoins   int            // channels of one connection, beyond which JOIN gets 405; 0 for no bound
	MaxClients int            // connections at once, beyond which they are refused; 0 for no bound
}

// A Line is one that a client sent.
type Line struct {
	At   time.Time
	Conn int    // connections are counted from 1
	Raw  string // without CRLF
	Message
}

// A Scripted is a server that does what a script says. It keeps no channels:
// whoever joins one is alone there.
type Scripted struct {
	Addr string

	t        testing.TB
	listener net.Listener
	all      sync.WaitGroup

	mu      sync.Mutex
	script  Script
	lines   []Line
	changed chan struct{} // closed at the next line
	clients []*client     // by number
	dropped int
	refused int
	closed  bool
}

// NewScripted starts a server.
func NewScripted(t testing.TB, script Script) *Scripted {
	t.Helper()
	s := &Scripted{Addr: testkit.FreeAddr(t, "127.0.0.1"), t: t, script: script, changed: make(chan struct{})}
	s.Again()
	t.Cleanup(s.Stop)
	return s
}

// Again starts the server that was stopped, at the same address.
func (s *Scripted) Again() {
	s.t.Helper()
	l, err := net.Listen("tcp", s.Addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	s.listener, s.closed = l, false
	s.mu.Unlock()
	s.all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.all.Go(func() { s.serve(conn) })
		}
	})
}

// Stop drops all clients and takes no others.
func (s *Scripted) Stop() {
	s.mu.Lock()
	s.listener.Close()
	s.closed = true
	s.mu.Unlock()
	s.Drop()
	s.all.Wait()
}

// Drop drops all clients.
func (s *Scripted) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.clients {
		c.conn.Close()
	}
}

// Change changes the script.
func (s *Scripted) Change(change func(*Script)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.script)
}

// now returns the script as it is now. Its maps and lists are not changed
// later, only replaced; see Change.
func (s *Scripted) now() Script {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.script
}

// Lines returns what clients sent.
func (s *Scripted) Lines() []Line {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clip(s.lines)
}

// Said returns what was said, to a channel or nick or ("") to all. What was not
// confirmed is among it.
func (s *Scripted) Said(to string) []Received {
	var found []Received
	for _, l := range s.Lines() {
		if (l.Command == "PRIVMSG" || l.Command == "NOTICE") && (to == "" || strings.EqualFold(l.Param(0), to)) {
			found = append(found, Received{At: l.At, Command: l.Command, To: l.Param(0), Text: l.Param(1)})
		}
	}
	return found
}

// WaitSaid waits until n things were said, or until patience is over, and
// returns what was.
func (s *Scripted) WaitSaid(to string, n int, patience time.Duration) []Received {
	s.wait(patience, func() bool { return len(s.Said(to)) >= n })
	return s.Said(to)
}

// WaitAll waits until all of the texts were sent to a channel, some of which may
// be sent twice.
func (s *Scripted) WaitAll(to string, texts []string, patience time.Duration) []Received {
	return waitAll(texts, func(n int) []Received { return s.WaitSaid(to, n, patience) })
}

// WaitLines waits for n lines with a command, and returns them.
func (s *Scripted) WaitLines(command string, n int) []Line {
	s.t.Helper()
	var found []Line
	ok := s.wait(patience, func() bool {
		found = found[:0]
		for _, l := range s.Lines() {
			if l.Command == command {
				found = append(found, l)
			}
		}
		return len(found) >= n
	})
	if !ok {
		s.t.Fatalf("waited %v in vain for %d %s, there are %d", patience, n, command, len(found))
	}
	return found
}

func (s *Scripted) wait(patience time.Duration, done func() bool) bool {
	timeout := time.After(patience)
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if done() {
			return true
		}
		select {
		case <-changed:
		case <-timeout:
			return done()
		}
	}
}

// Connections returns how many there were.
func (s *Scripted) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.clients)
}

// Send sends a line, from the server, to all clients that are welcome. In it
// %s is the nick of each.
func (s *Scripted) Send(line string) {
	s.mu.Lock()
	clients := slices.Clone(s.clients)
	s.mu.Unlock()
	for _, c := range clients {
		if nick := c.welcomeAs(); nick != "" {
			c.write(strings.ReplaceAll(line, "%s", nick))
		}
	}
}

// Kick kicks all clients out of a channel.
func (s *Scripted) Kick(channel string) {
	s.mu.Lock()
	clients := slices.Clone(s.clients)
	s.mu.Unlock()
	for _, c := range clients {
		if nick := c.welcomeAs(); nick != "" && c.leave(channel) {
			c.write(":somebody!some@body.example.org KICK " + channel + " " + nick + " :test")
		}
	}
}

// has reports whether another client has a nick.
func (s *Scripted) has(nick string, not *client) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.clients, func(c *client) bool { return c != not && strings.EqualFold(c.welcomeAs(), nick) })
}

// note notes a line.
func (s *Scripted) note(l Line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, l)
	close(s.changed)
	s.changed = make(chan struct{})
}

var errDropped = errors.New("dropped")

// drop counts a message of a connection, and says whether the script drops the
// connection at it.
func (s *Scripted) drop(messages int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.script.DropAt == 0 || messages != s.script.DropAt || s.dropped >= max(s.script.Drops, 1) {
		return false
	}
	s.dropped++
	return true
}

// refuse says whether the script refuses a registration.
func (s *Scripted) refuse() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused < s.script.Refuse {
		s.refused++
		return true
	}
	live := 0
	for _, c := range s.clients {
		if c.open {
			live++
		}
	}
	return s.script.MaxClients > 0 && live > s.script.MaxClients
}
