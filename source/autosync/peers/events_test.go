package peers

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestReadEvents(t *testing.T) {
	for input, want := range map[string][]sseEvent{
		": a comment\n\n":                          nil,
		"id: x-1\nevent: push\ndata: {}\n\n":       {{"x-1", "push", "{}"}},
		"data:a\r\ndata: b\r\n\r\nevent: peer\n\n": {{"", "", "a\nb"}},
		"data: not ended\n":                        nil,
		"unknown: x\ndata\n\n":                     {{"", "", ""}},
	} {
		var got []sseEvent
		err := readEvents(strings.NewReader(input), func() {}, func(e sseEvent) { got = append(got, e) })
		if err == nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", input, got, err)
		}
	}
	for _, input := range []string{strings.Repeat("x", 2*maxEvent), strings.Repeat("data: "+strings.Repeat("x", 100)+"\n", maxEvent/50)} {
		if err := readEvents(strings.NewReader(input), func() {}, func(sseEvent) { t.Error("an event") }); err == nil {
			t.Error("no error")
		}
	}
}

func FuzzReadEvents(f *testing.F) {
	f.Add([]byte("id: x-1\nevent: push\ndata: {}\n\n"))
	f.Fuzz(func(t *testing.T, input []byte) {
		l := &httpLink{state: state{now: time.Now}}
		readEvents(bytes.NewReader(input), func() {}, func(e sseEvent) { l.handle(e, func(Push) {}) })
		if l.lastEvent != "" && !isID(l.lastEvent) {
			t.Errorf("%q", l.lastEvent)
		}
	})
}

// A server that accepts connections and then says nothing is noticed; so is one that is back.
func TestFrozen(t *testing.T) {
	asked := make(chan bool, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		asked <- true
		<-r.Context().Done()
	}))
	defer server.Close()
	made, err := NewHTTP(HTTP{URL: server.URL, Token: "t", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	l := made.(*httpLink)
	l.frozen, l.pause.Min, l.pause.Max = 20*time.Millisecond, time.Millisecond, time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	ended, missed := make(chan error, 1), make(chan bool, 100)
	go func() { ended <- l.Run(ctx, func(Push) { missed <- true }) }()
	for range 3 {
		<-asked
		<-missed
	}
	cancel()
	if err := <-ended; err != context.Canceled {
		t.Error(err)
	}
}

// A rejected token is not retried soon.
func TestRejected(t *testing.T) {
	tries := make(chan bool, 100)
	hub := NewHub("right")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tries <- true
		hub.ServeHTTP(w, r)
	}))
	defer server.Close()
	made, err := NewHTTP(HTTP{URL: server.URL, Token: "wrong", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	l := made.(*httpLink)
	l.pause.Min, l.pause.Max = time.Millisecond, time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	l.Run(ctx, func(Push) { t.Error("a push") })
	if len(tries) != 1 {
		t.Errorf("%d tries", len(tries))
	}
}

// A listener that does not read is disconnected, and holds up nobody.
func TestSlowListener(t *testing.T) {
	g := &group{listeners: map[*listener]bool{}}
	slow, quick := &listener{client: "slow", events: make(chan event, maxPending)}, &listener{client: "quick", events: make(chan event, 1)}
	g.listeners[slow], g.listeners[quick] = true, true
	for i := range maxPending + 1 {
		g.send(event{number: i + 1, kind: "push", from: "x"})
		if e := <-quick.events; e.number != i+1 {
			t.Errorf("%+v", e)
		}
	}
	if g.listeners[slow] || !g.listeners[quick] {
		t.Error("the slow one is still there")
	}
	for range maxPending {
		<-slow.events
	}
	if _, isOpen := <-slow.events; isOpen {
		t.Error("not closed")
	}
}

// A hub writes heartbeats, and Close ends its connections.
func TestHeartbeat(t *testing.T) {
	hub := NewHub("t")
	hub.heartbeat = 5 * time.Millisecond
	server := httptest.NewServer(hub)
	defer server.Close()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/events", nil)
	r.Header.Set("Authorization", "bearer t")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	beats := 0
	err = readEvents(answer.Body, func() {
		if beats++; beats == 10 {
			hub.Close()
			hub.Close()
		}
	}, func(e sseEvent) { t.Errorf("%+v", e) })
	if beats < 10 || err == nil {
		t.Errorf("%d, %v", beats, err)
	}
}

func TestState(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	s := &state{name: "x", now: func() time.Time { return now }}
	s.connected()
	s.seen("b", true)
	s.hasPushed("a\nb")
	s.seen("", true)
	got := s.Status()
	if !got.Connected || len(got.Peers) != 2 || got.Peers[0].Name != "a b" || !got.Peers[0].LastPush.Equal(now) || !got.Peers[1].Online {
		t.Errorf("%+v", got)
	}
	s.disconnected(http.ErrServerClosed)
	if got := s.Status(); got.Connected || got.Error == "" || got.Peers[1].Online {
		t.Errorf("%+v", got)
	}
	for i := range 2 * maxPeers {
		s.seen(strings.Repeat("x", i+1), true)
	}
	if got := s.Status(); len(got.Peers) != maxPeers {
		t.Errorf("%d peers", len(got.Peers))
	}
}
