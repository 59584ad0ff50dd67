package irker

import (
	"net"
	"os"
	"testing"
	"time"
)

// What the system drops because nobody reads is counted to the last datagram;
// the buffer that vext asks for is larger than the usual one.
func TestDropped(t *testing.T) {
	l, p, err := Listen("127.0.0.1:0")
	ok(t, err)
	defer l.Close()
	defer p.Close()
	s := newSocket(p)
	sender, err := net.Dial("udp", p.LocalAddr().String())
	ok(t, err)
	defer sender.Close()
	buf := make([]byte, maxDatagram)
	got, dropped := 0, 0
	readAll := func() {
		for {
			p.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			_, from, more, err := s.read(buf)
			if os.IsTimeout(err) {
				return
			}
			if err != nil || from.String() != sender.LocalAddr().String() {
				t.Fatalf("from %v: %v", from, err)
			}
			got++
			dropped += more
		}
	}
	send := func(n int) {
		for range n {
			if _, err := sender.Write(make([]byte, 200)); err != nil {
				t.Fatal(err)
			}
		}
	}
	const usual = 200 // fit into the buffer that a socket has of 208 KiB
	send(2 * usual)
	readAll()
	if got != 2*usual || dropped != 0 {
		t.Errorf("%d of %d read, %d dropped", got, 2*usual, dropped)
	}
	ok(t, s.udp.SetReadBuffer(4096))
	for round := 1; round <= 2; round++ {
		got, dropped = 0, 0
		send(1000)
		readAll()
		send(1) // it carries the count of those dropped before it
		readAll()
		if got < 2 || dropped < 500 || got+dropped != 1001 {
			t.Errorf("round %d: %d read, %d dropped", round, got, dropped)
		}
	}
}
