package irker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Lines end in \n or \r\n, the last one also with the connection.
func TestTCP(t *testing.T) {
	h := open(t)
	c := h.dial("tcp")
	c.send(to("a", "1") + "\n\r\n" + strings.ReplaceAll(to("b", "2"), "\n", "\r\n") + "null\n" + "nonsense\n")
	c.send(strings.TrimSuffix(to("a", "3"), "\n"))
	ok(t, c.conn.(*net.TCPConn).CloseWrite())
	c.wantEnd()
	h.want("irc://h/#a 1", "irc://h/#b 2", "irc://h/#a 3")
	h.wantLog(`level=WARN msg="irker: invalid request" client=127.0.0.1:`, `err="not JSON: invalid character 'o' in literal null (expecting 'u')"`)
	if n := strings.Count(h.log.String(), "\n"); n != 1 {
		t.Errorf("the log is\n%s", h.log)
	}
}

// A datagram is a request, with or without a newline.
func TestUDP(t *testing.T) {
	h := open(t)
	c := h.dial("udp")
	c.send(to("a", "1"))
	c.send(strings.TrimSpace(to("b", "2")))
	c.send("null")
	c.send(to("a", "3") + to("a", "4"))
	c.send(to("a", strings.Repeat("x", 60<<10)))
	c.send(to("a", "5"))
	h.want("irc://h/#a 1", "irc://h/#b 2", "irc://h/#a "+strings.Repeat("x", 60<<10), "irc://h/#a 5")
	h.wantLog(`err="not JSON: invalid character '{' after top-level value"`)
}

// A client that wants answers gets one for each request, in their order; nobody else
// gets any.
func TestAck(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		t.Run(network, func(t *testing.T) {
			h := open(t, func(s *Server) { s.Targets = []string{"irc://h/*"} })
			c := h.dial(network)
			for _, line := range []string{
				to("a", "1", ack, `,"id":7`), to("a", "2"), `{"ack":true,"id":"x"}` + "\n", to("b", "3", ack), "nonsense\n",
				`{"to":["irc://x/c","irc://h/c"],"privmsg":"4","ack":true}` + "\n", to("a", "", ack),
			} {
				c.send(line)
			}
			c.wantAnswer(`{"ok":true,"id":7}`)
			c.wantAnswer(`{"ok":false,"id":"x","error":"privmsg is missing"}`)
			c.wantAnswer(`{"ok":true}`)
			c.wantAnswer(`{"ok":true,"skipped":["irc://x/#c"]}`)
			c.wantAnswer(`{"ok":true}`)
			h.want("irc://h/#a 1", "irc://h/#a 2", "irc://h/#b 3", "irc://h/#c 4", "irc://h/#a ")
		})
	}
}

// No answer is sent before the message is stored, and one client that waits for
// that does not hold up another's reading.
func TestAnswerWhenKept(t *testing.T) {
	h := open(t)
	held, release := h.outbox.hold()
	c := h.dial("tcp")
	c.send(to("a", "1", ack))
	<-held
	ok(t, c.conn.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	if b, err := c.in.ReadByte(); err == nil {
		t.Errorf("there is an answer: %q", b)
	}
	release()
	c.wantAnswer(`{"ok":true}`)
}

// Lines that have arrived together are kept together.
func TestTogether(t *testing.T) {
	h := open(t)
	var text strings.Builder
	var want []string
	for i := range 2*maxBatch + 1 {
		text.WriteString(to("a", fmt.Sprint(i)))
		want = append(want, fmt.Sprintf("irc://h/#a %d", i))
	}
	h.dial("tcp").send(text.String())
	h.want(want...)
	if n := h.outbox.tries(); n < 3 || n > 6 { // TCP may have cut it in two
		t.Errorf("%d calls of Put", n)
	}
}

// Fifty clients at once are all answered, each in its order.
func TestManyClients(t *testing.T) {
	const clients, each = 50, 100
	h := open(t)
	var all sync.WaitGroup
	for i := range clients {
		c := h.dial("tcp")
		all.Go(func() {
			var text strings.Builder
			for n := range each {
				text.WriteString(to(fmt.Sprint(i), fmt.Sprint(n), ack, fmt.Sprintf(`,"id":%d`, n)))
			}
			c.send(text.String())
			for n := range each {
				c.wantAnswer(fmt.Sprintf(`{"ok":true,"id":%d}`, n))
			}
		})
	}
	all.Wait()
	seen := map[string]int{}
	for _, line := range h.outbox.lines {
		if line.Text != fmt.Sprint(seen[line.Target]) {
			t.Fatalf("%s: %s comes as number %d", line.Target, line.Text, seen[line.Target])
		}
		seen[line.Target]++
	}
	if len(seen) != clients || len(h.outbox.lines) != clients*each {
		t.Errorf("%d lines of %d clients", len(h.outbox.lines), len(seen))
	}
}

// Clients that say nothing, half a line, or do not take their answers hold
// nobody up.
func TestSlowClients(t *testing.T) {
	h := open(t)
	h.dial("tcp")
	half := h.dial("tcp")
	half.send(`{"to":"irc://h/half",`)
	deaf := h.dial("tcp")
	ok(t, deaf.conn.(*net.TCPConn).SetReadBuffer(1<<10))
	go func() { // until the server waits for it to read
		request := []byte(strings.Repeat(to("deaf", "x", ack, `,"id":"`+strings.Repeat("x", 150)+`"`), 100))
		deaf.conn.SetWriteDeadline(time.Now().Add(patience))
		for {
			if _, err := deaf.conn.Write(request); err != nil {
				return
			}
		}
	}()
	c := h.dial("tcp")
	for range 100 {
		c.send(to("quick", "x", ack))
		c.wantAnswer(`{"ok":true}`)
	}
	half.send(`"privmsg":"x","ack":true}` + "\n")
	half.wantAnswer(`{"ok":true}`)
}

// A line that is too long is skipped, and the connection continues.
func TestLongLines(t *testing.T) {
	h := open(t)
	c := h.dial("tcp")
	frame := len(to("a", ""))
	longest := strings.Repeat("x", maxLine-frame)
	for _, text := range []string{longest, longest + "x", "1", strings.Repeat(longest, 20), "2"} {
		c.send(to("a", text))
	}
	c.send(to("a", "3", ack))
	c.wantAnswer(`{"ok":true}`)
	h.want("irc://h/#a "+longest, "irc://h/#a 1", "irc://h/#a 2", "irc://h/#a 3")
	h.wantLog(`msg="irker: line too long" client=127.0.0.1:`)
	c.send(strings.Repeat("x", 3*maxLine))
	ok(t, c.conn.(*net.TCPConn).CloseWrite())
	c.wantEnd()
}

// With all clients at work, the next ones wait; nothing of many short
// connections is lost.
func TestPlacesAtWork(t *testing.T) {
	h := open(t, func(s *Server) { s.places = 2 })
	held, release := h.outbox.hold()
	for range 2 {
		h.dial("tcp").send(to("a", "x"))
	}
	<-held
	const hooks = 50
	for range hooks {
		c := h.dial("tcp")
		c.send(to("a", "x"))
		ok(t, c.conn.Close())
	}
	release()
	h.eventually(func() bool { return len(h.outbox.texts()) == 2+hooks }, "there are %d lines", 2+hooks)
}

// A server that ends keeps what has arrived, and nothing of half a line.
func TestEnd(t *testing.T) {
	h := open(t)
	held, release := h.outbox.hold()
	c := h.dial("tcp")
	c.send(to("a", "first", ack))
	<-held
	var want []string
	for i := range 1000 { // more than is read at once
		c.send(to("a", fmt.Sprintf("%d %50d", i, i)))
		want = append(want, fmt.Sprintf("irc://h/#a %d %50d", i, i))
	}
	c.send(`{"to":"irc://h/a","privmsg":"half`)
	idle := h.dial("tcp")
	h.stop()
	idle.wantEnd()
	release()
	c.wantAnswer(`{"ok":true}`)
	c.wantEnd()
	h.close()
	h.want(slices.Concat([]string{"irc://h/#a first"}, want)...)
	if _, err := net.Dial("tcp", h.address); err == nil {
		t.Error("somebody still listens")
	}
}

// The datagrams that have arrived are kept, too.
func TestEndOfDatagrams(t *testing.T) {
	h := open(t)
	held, release := h.outbox.hold()
	c := h.dial("udp")
	c.send(to("a", "first"))
	<-held
	want := []string{"irc://h/#a first"}
	for i := range 200 {
		c.send(to("a", fmt.Sprint(i)))
		want = append(want, fmt.Sprintf("irc://h/#a %d", i))
	}
	h.stop()
	release()
	h.close()
	h.want(want...)
}

// A listener that is closed by somebody else ends the server with an error.
func TestListenerFails(t *testing.T) {
	for _, which := range []string{"tcp", "udp"} {
		h := newHarness(t)
		l, p, err := Listen("localhost:0")
		ok(t, err)
		done := make(chan error)
		go func() { done <- h.server.Serve(context.Background(), l, p) }()
		if which == "tcp" {
			l.Close()
		} else {
			p.Close()
		}
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: %v", which, err)
		}
	}
}

func TestListen(t *testing.T) {
	l, p, err := Listen("127.0.0.1:0")
	ok(t, err)
	defer l.Close()
	defer p.Close()
	if l.Addr().String() != p.LocalAddr().String() {
		t.Errorf("%s and %s", l.Addr(), p.LocalAddr())
	}
	for _, address := range []string{l.Addr().String(), "127.0.0.1:x"} {
		if _, _, err := Listen(address); err == nil {
			t.Errorf("it listens at %q", address)
		}
	}
}
