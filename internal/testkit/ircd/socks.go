package ircd

import (
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
)

// A Socks is a proxy of SOCKS 5 (RFC 1928), with user and password (RFC 1929)
// when it has a user.
type Socks struct {
	Addr string

	user, password string

	mu       sync.Mutex
	asked    []string
	to       string // where all connections lead, "" for where clients want to go
	conns    map[net.Conn]bool
	closed   bool
	listener net.Listener
	all      sync.WaitGroup
}

// NewSocks starts a proxy. An empty user is for anybody.
func NewSocks(t testing.TB, user, password string) *Socks {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Socks{Addr: l.Addr().String(), user: user, password: password, listener: l, conns: map[net.Conn]bool{}}
	t.Cleanup(s.close)
	s.all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.all.Go(func() { s.serve(conn) })
		}
	})
	return s
}

// Asked returns the addresses that clients wanted to be connected to, as
// host:port.
func (s *Socks) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// Redirect leads all further connections to one address, whatever clients ask
// for.
func (s *Socks) Redirect(addr string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = addr
}

func (s *Socks) close() {
	s.listener.Close()
	s.mu.Lock()
	s.closed = true
	for conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.all.Wait()
}

// keep notes a connection to be closed at the end.
func (s *Socks) keep(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[conn] = true
	if s.closed {
		conn.Close()
	}
}

func (s *Socks) serve(client net.Conn) {
	s.keep(client)
	defer client.Close()
	if s.greet(client) != nil {
		return
	}
	addr, err := request(client)
	if err != nil {
		return
	}
	s.mu.Lock()
	s.asked = append(s.asked, addr)
	to := cmp.Or(s.to, addr)
	s.mu.Unlock()
	reply := []byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	server, err := net.Dial("tcp", to)
	if err != nil {
		reply[1] = 5 // refused
		client.Write(reply)
		return
	}
	s.keep(server)
	client.Write(reply)
	splice(client, server)
}

// greet agrees on a method, and checks the user.
func (s *Socks) greet(conn net.Conn) error {
	if _, err := field(conn, 1); err != nil { // version, methods
		return err
	}
	if s.user == "" {
		_, err := conn.Write([]byte{5, 0})
		return err
	}
	conn.Write([]byte{5, 2})
	user, err := field(conn, 1)
	if err != nil {
		return err
	}
	password, err := field(conn, 0)
	if err != nil {
		return err
	}
	if string(user) != s.user || string(password) != s.password {
		conn.Write([]byte{1, 1})
		return errors.New("refused")
	}
	_, err = conn.Write([]byte{1, 0})
	return err
}

// request reads what a client wants: to be connected to an address.
func request(conn net.Conn) (addr string, err error) {
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil || head[1] != 1 {
		return "", errors.New("no request to connect")
	}
	var host []byte
	switch head[3] {
	case 1:
		host = make([]byte, net.IPv4len)
		_, err = io.ReadFull(conn, host)
	case 4:
		host = make([]byte, net.IPv6len)
		_, err = io.ReadFull(conn, host)
	default:
		host, err = field(conn, 0)
	}
	var port [2]byte
	if err == nil {
		_, err = io.ReadFull(conn, port[:])
	}
	name := string(host)
	if head[3] != 3 {
		name = net.IP(host).String()
	}
	return net.JoinHostPort(name, strconv.Itoa(int(binary.BigEndian.Uint16(port[:])))), err
}

// field reads bytes that their number stands before, behind skip others.
func field(conn net.Conn, skip int) ([]byte, error) {
	head := make([]byte, skip+1)
	if _, err := io.ReadFull(conn, head); err != nil {
		return nil, err
	}
	text := make([]byte, head[skip])
	_, err := io.ReadFull(conn, text)
	return text, err
}
