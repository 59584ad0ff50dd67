package webhook

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// serve serves the handler with long timeouts, and returns its address.
func (b *bench) serve() string {
	b.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	server := NewServer(b.Handler)
	server.ReadHeaderTimeout, server.ReadTimeout = time.Hour, time.Hour
	go server.Serve(b.Listener(l))
	b.t.Cleanup(func() { server.Close() })
	return l.Addr().String()
}

// stall opens n connections that send text and then stop.
func stall(t testing.TB, address string, n int, text string) []net.Conn {
	t.Helper()
	var all []net.Conn
	t.Cleanup(func() {
		for _, c := range all {
			c.Close()
		}
	})
	for range n {
		c, err := net.DialTimeout("tcp", address, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
		io.WriteString(c, text) // it may be cut off already
	}
	return all
}

// deliver sends a push as a forge does, by a connection of its own.
func deliver(t testing.TB, address, text string) (status int) {
	t.Helper()
	client := http.Client{Timeout: 25 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := http.NewRequest("POST", "http://"+address+"/hook/forge", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-GitHub-Event", "push")
	r.Header.Set("X-Hub-Signature-256", "sha256="+hexOf(text))
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

const halfHeader = "POST /hook/forge HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: sha256=00\r\nContent-Length: 1000\r\n"

// Clients that stall, however many and wherever in their requests, delay a push only for a
// moment, and not until their long timeouts.
func TestStalledClients(t *testing.T) {
	b := newBench(t)
	b.bodyPause = time.Hour
	address := b.serve()
	push := payload(t, "github-push.json")
	for _, test := range []struct{ name, text string }{
		{"before the request", ""},
		{"within the header", halfHeader},
		{"before the body", halfHeader + "\r\n"},
		{"within the body", halfHeader + "\r\n{\"ref\":"},
		{"within the body, without a signature", "POST /hook/forge HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"},
		{"between requests", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
	} {
		stall(t, address, 3*maxConns/2, test.text)
		var times []time.Duration
		for i := range 5 {
			begun := time.Now()
			if status := deliver(t, address, strings.Replace(push, "12f4334e", fmt.Sprintf("%08x", i), 1)); status != 200 {
				t.Errorf("%s: %d", test.name, status)
			}
			times = append(times, time.Since(begun))
		}
		slices.Sort(times)
		if times[2] > time.Second { // the first may take longer where the machine is busy by itself
			t.Errorf("%s: pushes took %v", test.name, times)
		}
	}
	if n := strings.Count(b.log.String(), "the slowest client is disconnected"); n == 0 || n > 20 {
		t.Errorf("%d lines in the log say that clients are disconnected", n)
	}
}

// Unfinished bodies that hold much memory make room for another.
func TestStalledBodies(t *testing.T) {
	b := newBench(t)
	address := b.serve()
	b.bodyPause = time.Hour
	// Two bodies of which half has come hold 16 MiB each.
	b.held.Store(maxHeld - 40<<20)
	const size = 20 << 20
	header := fmt.Sprintf("POST /hook/forge HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: sha256=00\r\nContent-Length: %d\r\n\r\n", size)
	half := strings.Repeat(" ", size/2)
	for range 2 {
		c := stall(t, address, 1, header)[0]
		go io.WriteString(c, half)
	}
	for deadline := time.Now().Add(60 * time.Second); b.held.Load() < maxHeld-8<<20; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("only %d bytes are held", b.held.Load())
		}
	}
	if status := deliver(t, address, large(t, 9<<20)); status != 200 {
		t.Errorf("a large push: %d", status)
	}
}

// A body must neither stop nor be too slow.
func TestSlowBody(t *testing.T) {
	b := newBench(t)
	b.bodyPause = 300 * time.Millisecond
	address := b.serve()
	c := stall(t, address, 1, halfHeader+"\r\n")[0]
	done := make(chan struct{})
	go func() {
		defer close(done)
		for { // a byte at a time
			if _, err := io.WriteString(c, " "); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	begun := time.Now()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	answer, _ := io.ReadAll(c)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") || time.Since(begun) > 5*time.Second {
		t.Errorf("after %v: %q", time.Since(begun), answer)
	}
	c.Close()
	<-done
}
