package webhook

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// large returns a push of that many bytes.
func large(t testing.TB, size int) string {
	push := payload(t, "github-push.json")
	filler := fmt.Sprintf(`{"filler":"%s",`, strings.Repeat("x", size-len(push)-len(`"filler":"",`)))
	return strings.Replace(push, "{", filler, 1)
}

// The largest body of GitHub is accepted, and no more is read.
func TestLargestBody(t *testing.T) {
	b := newBench(t)
	server := httptest.NewServer(b)
	defer server.Close()
	text := large(t, maxBody)
	for _, test := range []struct {
		name   string
		body   io.Reader // a strings.Reader says how long it is
		text   string
		status int
	}{
		{"the largest", strings.NewReader(text), text, 200},
		{"the largest, of unknown length", io.MultiReader(strings.NewReader(text)), text, 200},
		{"larger", strings.NewReader(text + " "), text + " ", 413},
		{"larger, of unknown length", io.MultiReader(strings.NewReader(text + " ")), text + " ", 413},
		{"nothing", http.NoBody, "", 400},
	} {
		r, err := http.NewRequest("POST", server.URL+"/hook/forge", test.body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-GitHub-Event", "push")
		r.Header.Set("X-Hub-Signature-256", "sha256="+hexOf(test.text))
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			if test.status != 413 { // the server may close while we still write
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		response.Body.Close()
		if response.StatusCode != test.status {
			t.Errorf("%s: %d", test.name, response.StatusCode)
		}
	}
	if held := b.held.Load(); held != 0 {
		t.Errorf("%d bytes are still held", held)
	}
}

// When bodies fill the memory for them, others must wait.
func TestMostHeld(t *testing.T) {
	b := newBench(t)
	push := payload(t, "github-push.json")
	b.held.Store(maxHeld - int64(len(push)))
	w := b.push(push)
	want(t, "too much", w, 503, "too much data at once")
	if w.Header().Get("Retry-After") != "10" || b.held.Load() != maxHeld-int64(len(push)) {
		t.Errorf("%v, %d held", w.Header(), b.held.Load())
	}
	b.held.Store(0)
	want(t, "room again", b.push(push), 200, "")
	if held := b.held.Load(); held != 0 {
		t.Errorf("%d bytes are still held", held)
	}
}

// Too many requests at once wait, and then get 503. A request without the secret takes no
// slot.
func TestMostAtOnce(t *testing.T) {
	b := newBench(t)
	b.slotWait = 20 * time.Millisecond
	push := payload(t, "github-push.json")
	var all []func()
	for range maxAtOnce {
		free, ok := b.slot(t.Context())
		if !ok {
			t.Fatal("no room")
		}
		all = append(all, free)
	}
	want(t, "one more", b.push(push), 503, "too many requests at once")
	want(t, "one without signature", b.post(push), 401, "")
	all[0]()
	want(t, "afterwards", b.push(push), 200, "2 of 3")
	for _, free := range all[1:] {
		free()
	}
}

// Many deliveries at once, some of them the same, are each accepted once.
func TestConcurrent(t *testing.T) {
	b := newBench(t)
	push := payload(t, "github-push.json")
	var wg sync.WaitGroup
	for i := range 40 {
		text := strings.ReplaceAll(push, "12f4334efb58a4c3be2f6ee7d71756222760352e", fmt.Sprintf("%040x", i/4))
		wg.Go(func() { want(t, "a push", b.push(text), 200, "2 of 3") })
	}
	wg.Wait()
	if n := len(b.spooled()); n != 11 {
		t.Errorf("%d in the spool, want 11", n)
	}
	if b.held.Load() != 0 || len(b.slots) != 0 {
		t.Errorf("%d bytes and %d requests are left", b.held.Load(), len(b.slots))
	}
}

// A client that sends only half a request is disconnected.
func TestSlowClient(t *testing.T) {
	b := newBench(t)
	server := NewServer(b.Handler)
	if server.ReadHeaderTimeout == 0 || server.ReadTimeout == 0 || server.WriteTimeout < server.ReadTimeout+lookUpTime ||
		server.IdleTimeout == 0 || server.MaxHeaderBytes == 0 {
		t.Errorf("%+v", server)
	}
	server.ReadHeaderTimeout, b.bodyPause = 200*time.Millisecond, 300*time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	defer server.Close()
	const header = "POST /hook/forge HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: sha256=00\r\nContent-Length: 1000\r\n"
	for _, test := range []struct{ name, text, want string }{
		{"half a header", header, ""},
		{"half a body", header + "\r\n{", "HTTP/1.1 408 Request Timeout"},
		{"no body", header + "\r\n", "HTTP/1.1 408 Request Timeout"},
	} {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, test.text)
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		line, err := bufio.NewReader(c).ReadString('\n')
		if strings.TrimSpace(line) != test.want || test.want == "" && err != io.EOF {
			t.Errorf("%s: %q, %v", test.name, line, err)
		}
		c.Close()
	}
	c, err := net.Dial("tcp", l.Addr().String()) // one that goes away
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, header+"\r\n{")
	c.Close()
	for deadline := time.Now().Add(10 * time.Second); b.held.Load() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are left", b.held.Load())
		}
	}
}
