package ircd

import (
	"io"
	"net"
	"sync"
	"testing"

	"vext/internal/testkit"
)

// A Relay stands between a client and a server, and can be closed: then the
// server is unreachable. So a test that starts a server anew can have its own
// client there before the one that is tested.
type Relay struct {
	Addr string

	to string

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
	all      sync.WaitGroup
}

// NewRelay returns an open relay to an address.
func NewRelay(t testing.TB, to string) *Relay {
	t.Helper()
	r := &Relay{Addr: testkit.FreeAddr(t, "127.0.0.1"), to: to, conns: map[net.Conn]bool{}}
	t.Cleanup(r.Close)
	r.Open(t)
	return r
}

// Open takes connections.
func (r *Relay) Open(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", r.Addr)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.listener = l
	r.mu.Unlock()
	r.all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.all.Go(func() { r.pass(conn) })
		}
	})
}

// Close cuts all connections and takes no others.
func (r *Relay) Close() {
	r.mu.Lock()
	if r.listener != nil {
		r.listener.Close()
		r.listener = nil
	}
	for conn := range r.conns {
		conn.Close()
	}
	r.mu.Unlock()
	r.all.Wait()
}

// Cut cuts all connections; others may follow.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for conn := range r.conns {
		conn.Close()
	}
}

// pass carries what comes both ways until one side ends.
func (r *Relay) pass(client net.Conn) {
	server, err := net.Dial("tcp", r.to)
	if err != nil {
		client.Close()
		return
	}
	if !r.keep(client, server) {
		return
	}
	splice(client, server)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, client)
	delete(r.conns, server)
}

// keep notes connections that Close is to close, unless it has been called.
func (r *Relay) keep(conns ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range conns {
		if r.listener == nil {
			conn.Close()
			continue
		}
		r.conns[conn] = true
	}
	return r.listener != nil
}

// splice hands on what either connection says to the other until one ends, and
// closes both.
func splice(client, server net.Conn) {
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		both.Go(func() {
			io.Copy(way[0], way[1])
			client.Close()
			server.Close()
		})
	}
	both.Wait()
}
