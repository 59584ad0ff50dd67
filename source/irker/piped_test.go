package irker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var errFull = errors.New("no space left on device")

// A pipes is a listener without a network, for tests on a clock of their own.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return address("127.0.0.1:6659") }

// local is a connection from this machine.
type local struct{ net.Conn }

func (local) RemoteAddr() net.Addr { return address("127.0.0.1:1") }

func (p *pipes) dial(t *testing.T) *caller {
	ours, theirs := net.Pipe()
	p.conns <- local{theirs}
	return newCaller(t, ours)
}

// A radio is a net.PacketConn without a network.
type radio struct {
	net.PacketConn
	in     chan string
	out    chan string
	closed func()
	ended  chan struct{}
}

func newRadio() *radio {
	r := &radio{in: make(chan string, 10_000), out: make(chan string, 100), ended: make(chan struct{})}
	r.closed = sync.OnceFunc(func() { close(r.ended) })
	return r
}

func (r *radio) ReadFrom(p []byte) (int, net.Addr, error) {
	select {
	case s := <-r.in:
		return copy(p, s), address("127.0.0.1:1"), nil
	case <-r.ended:
		return 0, nil, os.ErrDeadlineExceeded
	}
}

func (r *radio) WriteTo(p []byte, _ net.Addr) (int, error) { r.out <- string(p); return len(p), nil }
func (r *radio) SetReadDeadline(t time.Time) error         { r.closed(); return nil }
func (r *radio) Close() error                              { return nil }

// piped runs a test with a server that has no network, and a clock of its own.
func piped(t *testing.T, test func(t *testing.T, h *harness, p *pipes, r *radio)) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.server.places = 3
		p, r := &pipes{make(chan net.Conn), make(chan struct{})}, newRadio()
		h.serve(p, r)
		test(t, h, p, r)
		h.close()
	})
}

// If nothing can be stored, a client that wants an answer may repeat its request. What nobody
// would say again is held, and retried with backoff; only the client
// that it came from waits meanwhile.
func TestFullDisk(t *testing.T) {
	piped(t, func(t *testing.T, h *harness, p *pipes, _ *radio) {
		h.outbox.fail(errFull)
		c := p.dial(t)
		c.send(to("a", "1") + to("a", "asked", ack) + to("a", "2"))
		c.wantAnswer(`{"ok":false,"error":"not kept: no space left on device"}`)
		more := make(chan struct{})
		ok(t, c.conn.SetWriteDeadline(time.Time{}))
		go func() {
			defer close(more)
			c.conn.Write([]byte(to("a", "3") + to("a", "4", ack)))
		}()

		begun := time.Now()
		var pauses []time.Duration
		for range 12 {
			n := h.outbox.tries()
			for h.outbox.tries() == n {
				time.Sleep(10 * time.Millisecond)
				synctest.Wait()
			}
			pauses = append(pauses, time.Since(begun))
			begun = time.Now()
		}
		want := "[100ms 200ms 400ms 800ms 1.6s 3.2s 6.4s 12.8s 25.6s 30s 30s 30s]"
		if got := fmt.Sprint(pauses); got != want {
			t.Errorf("the pauses are\n%s, want\n%s", got, want)
		}
		select {
		case <-more:
			t.Error("the client may say more")
		default:
		}
		other := p.dial(t)
		other.send(to("b", "x", ack))
		other.wantAnswer(`{"ok":false,"error":"not kept: no space left on device"}`)

		h.outbox.fail(nil)
		other.send(to("b", "x", ack))
		other.wantAnswer(`{"ok":true}`)
		c.wantAnswer(`{"ok":true}`)
		<-more
		same(t, h.outbox.texts(), []string{"irc://h/#b x", "irc://h/#a 1", "irc://h/#a 2", "irc://h/#a 3", "irc://h/#a 4"})
		if got := h.log.String(); !strings.Contains(got, `msg="irker: cannot store messages; retrying" lines=2 err="no space left on device"`) {
			t.Errorf("the log is\n%s", got)
		}
	})
}

// The same by UDP, where those that come meanwhile wait, up to a bound.
func TestFullDiskByUDP(t *testing.T) {
	piped(t, func(t *testing.T, h *harness, _ *pipes, r *radio) {
		h.outbox.fail(errFull)
		lost := 0
		h.server.OnLoss = func() { lost++ }
		r.in <- to("a", "1")
		synctest.Wait()
		r.in <- to("a", "asked", ack)
		const late = 100
		for i := range maxDatagrams - 1 + late {
			r.in <- to("a", fmt.Sprint(i))
		}
		time.Sleep(time.Minute)
		h.outbox.fail(nil)
		time.Sleep(time.Minute)
		if got := <-r.out; got != "{\"ok\":true}\n" {
			t.Errorf("the answer is %q", got)
		}
		if got := h.outbox.texts(); len(got) != 1+maxDatagrams || got[0] != "irc://h/#a 1" || got[maxDatagrams] != "irc://h/#a 998" {
			t.Errorf("there are %d lines", len(got))
		}
		h.close()
		if got := h.log.String(); !strings.Contains(got, "irker: too many datagrams queued; one is lost") || !strings.Contains(got, fmt.Sprintf("not_logged=%d", late-1)) || lost != 1 {
			t.Errorf("called %d times; the log is\n%s", lost, got)
		}
	})
}

// A line that is rejected permanently has no part in the answers to others, and is
// not retried.
func TestRefused(t *testing.T) {
	const kept, lost, some = `{"ok":true}`, `{"ok":false,"error":"not kept: too many channels","skipped":["irc://h/#full"]}`, `{"ok":true,"skipped":["irc://h/#full"]}`
	requests := []string{to("a", "1", ack), to("full", "2", ack), `{"to":["irc://h/full","irc://h/b"],"privmsg":"3","ack":true}` + "\n", to("full", "4"), to("c", "5", ack)}
	wants := []string{kept, lost, some, kept}
	texts := []string{"irc://h/#a 1", "irc://h/#b 3", "irc://h/#c 5"}
	piped(t, func(t *testing.T, h *harness, p *pipes, r *radio) {
		h.outbox.full = "irc://h/#full"
		c := p.dial(t)
		c.send(strings.Join(requests, ""))
		for _, want := range wants {
			c.wantAnswer(want)
		}
		for _, request := range requests {
			r.in <- request
		}
		for _, want := range wants {
			if got := <-r.out; got != want+"\n" {
				t.Errorf("the answer by UDP is %q, want %q", got, want)
			}
		}
		tries := h.outbox.tries()
		time.Sleep(time.Hour)
		if h.outbox.tries() != tries {
			t.Error("what is rejected is retried")
		}
		same(t, h.outbox.texts(), slices.Concat(texts, texts))
	})
}

// What can't be kept for now is retried without what was refused, and
// without those whose clients got an error.
func TestRefusedOnFullDisk(t *testing.T) {
	piped(t, func(t *testing.T, h *harness, p *pipes, _ *radio) {
		n := 0
		h.outbox.full = "irc://h/#full"
		h.outbox.fails = func() error { // from the third call on for a while
			if n++; n > 2 && n < 10 {
				return errFull
			}
			return nil
		}
		c := p.dial(t)
		c.send(to("a", "1", ack) + to("full", "2") + to("b", "3", ack) + to("c", "4"))
		c.wantAnswer(`{"ok":true}`)
		c.wantAnswer(`{"ok":false,"error":"not kept: no space left on device"}`)
		time.Sleep(time.Hour)
		same(t, h.outbox.texts(), []string{"irc://h/#a 1", "irc://h/#c 4"})
	})
}

// A client that sends a byte now and then does not keep the server from ending.
func TestEndWithDrip(t *testing.T) {
	piped(t, func(t *testing.T, h *harness, p *pipes, _ *radio) {
		c := p.dial(t)
		var drip sync.WaitGroup
		drip.Go(func() {
			for {
				if _, err := c.conn.Write([]byte("x")); err != nil {
					return
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
		time.Sleep(time.Second)
		begun := time.Now()
		h.close()
		if took := time.Since(begun); took > maxDrainTime {
			t.Errorf("it took %v to end", took)
		}
		drip.Wait()
	})
}

// Many bytes are too many as well.
func TestManyBytes(t *testing.T) {
	d := newDatagrams()
	long := datagram{data: make([]byte, 60<<10)}
	n := 0
	for d.add(long) {
		n++
	}
	if n != maxQueued/len(long.data) {
		t.Errorf("%d datagrams fit", n)
	}
	if got := len(d.next()); got != maxBatch || !d.add(long) {
		t.Errorf("after %d are taken none fits", got)
	}
}

// A server that ends tries once more, and logs what is lost.
func TestEndOnFullDisk(t *testing.T) {
	piped(t, func(t *testing.T, h *harness, p *pipes, r *radio) {
		h.outbox.fail(errFull)
		p.dial(t).send(to("a", "1") + to("a", "2"))
		r.in <- to("b", "3")
		time.Sleep(time.Second)
		begun, puts := time.Now(), h.outbox.tries()
		h.close()
		if took := time.Since(begun); took > drainTime {
			t.Errorf("it took %v to end", took)
		}
		if h.outbox.tries() != puts+2 {
			t.Errorf("it tried %d times more", h.outbox.tries()-puts)
		}
		for _, want := range []string{"lines=1", "lines=2"} {
			if got := h.log.String(); !strings.Contains(got, `level=ERROR msg="irker: messages are lost, because they could not be stored" `+want+` err="no space left on device"`) {
				t.Errorf("the log is\n%s", got)
			}
		}
	})
}

// A client that does not read its answers is disconnected after a while, and what it sent by
// then is kept.
func TestAnswerPatience(t *testing.T) {
	piped(t, func(t *testing.T, h *harness, p *pipes, _ *radio) {
		c := p.dial(t)
		c.send(to("a", "1", ack) + to("a", "2", ack))
		begun := time.Now()
		c.send(to("a", "3", ack))
		if took := time.Since(begun); took != writeTimeout {
			t.Errorf("it waited for %v", took)
		}
		synctest.Wait()
		c.wantEnd()
		same(t, h.outbox.texts(), []string{"irc://h/#a 1", "irc://h/#a 2", "irc://h/#a 3"})
	})
}

// With all places taken, the client that was idle longest is disconnected, and
// half a line is no work.
func TestPlaces(t *testing.T) {
	piped(t, func(t *testing.T, h *harness, p *pipes, _ *radio) {
		speak := func(callers ...*caller) {
			for _, c := range callers {
				c.send(to("a", "x", ack))
				c.wantAnswer(`{"ok":true}`)
				synctest.Wait()
			}
		}
		first, second, third := p.dial(t), p.dial(t), p.dial(t)
		speak(third, second, first)
		third.send(`{"to":"half`)
		fourth := p.dial(t)
		speak(first) // while the place is not free yet
		third.wantEnd()
		speak(second, fourth)
		fifth := p.dial(t)
		first.wantEnd()
		speak(second, fourth, fifth)
		if got := h.log.String(); !strings.Contains(got, "irker: too many clients; disconnecting the one that was idle longest") {
			t.Errorf("the log is\n%s", got)
		}
	})
}
