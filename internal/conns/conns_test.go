package conns

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// A server is a listener with some places, and what it has accepted.
type server struct {
	t        *testing.T
	limit    *Limit
	l        net.Listener
	accepted chan *Conn
	cut      int
}

func open(t *testing.T, places int, silence time.Duration) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, accepted: make(chan *Conn)}
	s.limit = New(places, silence, func(net.Addr) { s.cut++ })
	s.l = s.limit.Listener(l)
	go func() {
		for {
			c, err := s.l.Accept()
			if err != nil {
				close(s.accepted)
				return
			}
			s.accepted <- c.(*Conn)
		}
	}()
	t.Cleanup(func() { s.l.Close() })
	return s
}

// dial returns both ends of a new connection.
func (s *server) dial() (client net.Conn, conn *Conn) {
	s.t.Helper()
	client, err := net.Dial("tcp", s.l.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { client.Close() })
	select {
	case conn = <-s.accepted:
	case <-time.After(10 * time.Second):
		s.t.Fatal("not accepted")
	}
	return client, conn
}

// wantCut checks whether a client was evicted.
func wantCut(t *testing.T, what string, client net.Conn, want bool) {
	t.Helper()
	wait := 10 * time.Second
	if !want {
		wait = 50 * time.Millisecond
	}
	client.SetReadDeadline(time.Now().Add(wait))
	_, err := client.Read(make([]byte, 1))
	if timeout, ok := err.(net.Error); (ok && timeout.Timeout()) == want {
		t.Errorf("%s: %v, want it cut off: %v", what, err, want)
	}
}

// With all places taken the client that was silent longest is evicted, and
// none whose request is being handled.
func TestCut(t *testing.T) {
	s := open(t, 3, 0)
	busy, busyConn := s.dial()
	busyConn.SetBusy(true)
	silent, _ := s.dial()
	sending, sendingConn := s.dial()
	io.WriteString(silent, "") // nothing
	io.WriteString(sending, "x")
	if _, err := io.ReadFull(sendingConn, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	s.dial()
	wantCut(t, "the silent one", silent, true)
	wantCut(t, "the busy one", busy, false)
	wantCut(t, "the one that sends", sending, false)
	if s.cut != 1 {
		t.Errorf("%d were reported as evicted", s.cut)
	}
}

// A client that has just sent something keeps its place for a while, and the next
// one waits for that long.
func TestSilence(t *testing.T) {
	const silence = 200 * time.Millisecond
	s := open(t, 1, silence)
	begun := time.Now()
	first, _ := s.dial()
	s.dial()
	if took := time.Since(begun); took < silence || took > 10*silence {
		t.Errorf("the second waited for %v", took)
	}
	wantCut(t, "the first", first, true)
}

// While all are busy the next client waits, until one of them is not.
func TestAllBusy(t *testing.T) {
	s := open(t, 2, 0)
	_, one := s.dial()
	_, two := s.dial()
	one.SetBusy(true)
	two.SetBusy(true)
	if _, err := net.Dial("tcp", s.l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.accepted:
		t.Fatal("accepted without a place")
	case <-time.After(50 * time.Millisecond):
	}
	one.Close()
	select {
	case <-s.accepted:
	case <-time.After(10 * time.Second):
		t.Fatal("not accepted")
	}
}

// Closing the listener ends an Accept that waits for a place.
func TestClose(t *testing.T) {
	s := open(t, 1, 0)
	_, one := s.dial()
	one.SetBusy(true)
	if _, err := net.Dial("tcp", s.l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond)
	s.l.Close()
	select {
	case _, open := <-s.accepted:
		if open {
			t.Error("accepted after the end")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Accept did not end")
	}
}

// An origin with many connections loses one before an origin with few, and of those
// for whom bytes are held only these.
func TestSlowest(t *testing.T) {
	l := New(100, 0, nil)
	add := func(from string, held int64) *Conn {
		c := &Conn{limit: l, from: netip.MustParsePrefix(from), held: held}
		l.all[c] = true
		l.read(c)
		return c
	}
	alone := add("192.0.2.1/32", 5)
	first := add("192.0.2.2/32", 0)
	second := add("192.0.2.2/32", 9)
	busy := add("192.0.2.1/32", 20)
	busy.busy = true
	for _, test := range []struct {
		atLeast      int64
		spared, want *Conn
	}{
		{0, nil, first}, // of an origin with two
		{5, nil, alone}, // one each, and it was silent for longer
		{6, nil, second},
		{6, second, nil},
		{10, nil, nil},
	} {
		got := l.slowest(test.atLeast, test.spared)
		if got != test.want {
			t.Errorf("%d bytes: %+v", test.atLeast, got)
		}
	}
}

func TestOrigin(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1/32", "[::ffff:192.0.2.1]:80": "192.0.2.1/32",
		"[2001:db8:1:2:3::4]:80": "2001:db8:1:2::/64", "[fe80::1%lo]:1": "fe80::/64",
	} {
		if got := origin(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))); got.String() != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	if got := origin(&net.UnixAddr{Name: "/x"}); got.IsValid() {
		t.Errorf("a socket: %s", got)
	}
}

// A connection with an end of its own keeps its place until it is closed, and no other
// is evicted meanwhile.
func TestEnd(t *testing.T) {
	l := New(2, time.Millisecond, nil)
	here, _ := net.Pipe()
	ended := make(chan *Conn, 3)
	add := func() *Conn {
		c := &Conn{Conn: here, limit: l}
		if !l.enter(c) {
			t.Error("the listener is closed")
		}
		c.SetEnd(func() { ended <- c })
		return c
	}
	first, second := add(), add()
	third := make(chan *Conn)
	go func() { third <- add() }()
	if c := <-ended; c != first {
		t.Error("the second is ended")
	}
	time.Sleep(10 * time.Millisecond)
	select {
	case <-third:
		t.Error("there are three")
	case <-ended:
		t.Error("two are ended")
	default:
	}
	first.Close()
	if c := <-third; c == second || len(l.all) != 2 {
		t.Errorf("%d connections", len(l.all))
	}
}
