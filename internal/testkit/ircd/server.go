// Package ircd is what tests of IRC lean on: real servers on the loopback that
// can be stopped and killed, a scripted one for what those cannot be made to
// do, a client that records what is said, a relay that cuts lines and a SOCKS
// proxy. All of them end with the test.
package ircd

import (
	"crypto/tls"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"vext/internal/testkit"
)

// A Kind is a program that serves IRC.
type Kind string

// The servers that can be started.
const (
	Ngircd   Kind = "ngircd"
	Inspircd Kind = "inspircd"
)

// A Flood is what a server does about clients that say too much at once.
type Flood int

// What is done about floods. NgIRCd has its own way alone: it reads no more
// than about a line a second from whoever is too fast; that is Lag.
const (
	Free Flood = iota // nothing
	Lag               // reads slowly: a command a second, 10 KB may wait, as InspIRCd's example has it
	Kill              // disconnects: a command a second, 10 at once
)

// Options are how a server is set up.
type Options struct {
	Kind        Kind
	Host        string   // to listen on; "" for 127.0.0.1
	TLS         bool     // listens with TLS, too
	Names       []string // of the certificate; none for localhost and the loopback addresses
	Password    string
	MaxChannels int // of one connection; 0 for no bound
	NickLength  int // longest nick; 0 for 20
	Flood       Flood
	Plain       bool     // without labeled-response and echo-message, as ngircd is always
	Services    []string // inspircd: SASL for these accounts, as name:password
}

// A Server is a real one, in a process of its own.
type Server struct {
	Addr    string // host:port without TLS
	TLSAddr string // host:port with TLS, when it is asked for
	CA      *CA    // of its certificate

	t        testing.TB
	options  Options
	dir      string
	linkAddr string // where inspircd's services link
	services *services
	cmd      *exec.Cmd
	paused   bool
}

// patience is how long a server may take for what takes it a moment.
const patience = 20 * time.Second

// Start starts a server and returns when it takes connections. The test that
// misses the program is skipped.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Host == "" {
		o.Host = "127.0.0.1"
	}
	if o.NickLength == 0 {
		o.NickLength = 20
	}
	s := &Server{t: t, options: o, dir: t.TempDir(), Addr: testkit.FreeAddr(t, o.Host)}
	if o.TLS {
		s.CA = NewCA(t)
		s.TLSAddr = testkit.FreeAddr(t, o.Host)
		s.CA.Server(o.Names...).Write(t, s.dir)
	}
	if len(o.Services) > 0 {
		s.linkAddr = testkit.FreeAddr(t, o.Host)
	}
	config := s.ngircd
	if o.Kind == Inspircd {
		config = s.inspircd
	}
	if err := os.WriteFile(s.path("conf"), []byte(config()), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	s.Again()
	return s
}

// path returns the path of a file of the server.
func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

// Again starts the server that was stopped or killed, at the same address.
func (s *Server) Again() {
	s.t.Helper()
	program := testkit.Program(s.t, string(s.options.Kind))
	args := []string{"--nodaemon", "--config", s.path("conf")}
	if s.options.Kind == Inspircd {
		args = []string{"--nofork", "--nopid", "--runasroot", "--config", s.path("conf")}
	}
	log, err := os.OpenFile(s.path("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd = exec.Command(program, args...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, log, log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for _, addr := range []string{s.Addr, s.TLSAddr} {
		if addr != "" && !testkit.Listens(addr, patience) {
			text, _ := os.ReadFile(s.path("log"))
			s.t.Fatalf("%s does not listen on %s:\n%s", s.options.Kind, addr, text)
		}
	}
	if s.linkAddr != "" {
		s.services = link(s.t, s.linkAddr, s.options.Services)
	}
}

// Stop ends the server, if it runs: it says so to its clients.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Kill ends the server, if it runs, in the midst of what it does.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

func (s *Server) end(signal syscall.Signal) {
	if s.cmd == nil {
		return
	}
	if s.paused {
		s.Resume()
	}
	if s.services != nil {
		s.services.close()
		s.services = nil
	}
	s.cmd.Process.Signal(signal)
	done := make(chan struct{})
	go func() { defer close(done); s.cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(patience):
		s.cmd.Process.Kill()
		<-done
	}
	s.cmd = nil
}

// Pause stops the server where it stands: connections stay, nothing answers.
func (s *Server) Pause() {
	s.paused = true
	s.cmd.Process.Signal(syscall.SIGSTOP)
}

// Resume lets the server go on.
func (s *Server) Resume() {
	s.paused = false
	s.cmd.Process.Signal(syscall.SIGCONT)
}

// ClientTLS returns how a client trusts the server.
func (s *Server) ClientTLS() *tls.Config { return s.CA.ClientTLS() }
