package outbox

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/notify"
)

// serve serves an outbox until the test ends, and connects to it.
func serve(t *testing.T, o *Outbox, state string) *Remote {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- o.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return mustDial(t, state)
}

func mustDial(t *testing.T, state string) *Remote {
	t.Helper()
	for {
		r, err := Dial(state)
		if err == nil {
			return r
		}
		if !errors.Is(err, ErrNotServed) {
			t.Fatal(err)
		}
	}
}

// A socket that a crash has left does not stay in the way, and one far down in the file
// system is reached as well.
func TestSocket(t *testing.T) {
	state := filepath.Join(t.TempDir(), strings.Repeat("long/", 30))
	if err := os.MkdirAll(state, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(state); !errors.Is(err, ErrNotServed) {
		t.Errorf("without a socket: %v", err)
	}
	o := mustOpen(t, state)
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- o.Serve(ctx) }()
		r := mustDial(t, state)
		mustPut(t, r, notify.Message{Text: "x"})
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if _, err := Dial(state); !errors.Is(err, ErrNotServed) {
			t.Errorf("a socket that is left: %v", err)
		}
	}
	r := serve(t, o, state)
	if n, err := r.Drop(t.Context(), src); n != 2 || err != nil {
		t.Errorf("dropped %d, %v", n, err)
	}
	if status, err := r.Status(t.Context()); string(status) != "0" || err != nil {
		t.Errorf("status %s, %v", status, err)
	}
}

// What makes an error permanent is not lost on the way.
func TestRemoteError(t *testing.T) {
	state := t.TempDir()
	o := mustOpen(t, state)
	r := serve(t, o, state)
	for _, want := range []error{errors.New("no space left"), &notify.PermanentError{Err: errors.New("too many")}} {
		o.Check = func() error { return want }
		if err := r.Put(t.Context(), notify.Message{Target: src}); err == nil || !strings.Contains(err.Error(), want.Error()) || notify.IsPermanent(err) != notify.IsPermanent(want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
}

// At the end a call that was made is answered. Later ones find nobody.
func TestServeEnds(t *testing.T) {
	state := t.TempDir()
	o := mustOpen(t, state)
	called, release := make(chan bool), make(chan bool)
	o.Check = func() error { called <- true; <-release; return nil }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- o.Serve(ctx) }()
	r := mustDial(t, state)
	put := make(chan error)
	m := notify.Message{Target: src, Text: "a", Key: "a"}
	go func() { put <- r.Put(t.Context(), m) }()
	<-called
	cancel()
	close(release)
	if err := <-put; err != nil {
		t.Errorf("a call at the end: %v", err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := r.Put(t.Context(), m); !errors.Is(err, ErrGone) {
		t.Errorf("a call after the end: %v", err)
	}
	if _, err := Dial(state); !errors.Is(err, ErrNotServed) {
		t.Errorf("after the end: %v", err)
	}
}

// A process that serves the outbox and is stopped does not block others for long, also
// when a request is longer than what the system keeps for it.
func TestSilent(t *testing.T) {
	state := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(state, socketName))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, text := range []string{"x", strings.Repeat("x", 10<<20)} {
		r, err := Dial(state)
		if err != nil {
			t.Fatal(err)
		}
		r.time = 20 * time.Millisecond
		if err := r.Put(t.Context(), notify.Message{Target: src, Text: text}); !errors.Is(err, ErrSilent) {
			t.Errorf("%d bytes: %v", len(text), err)
		}
		r.time = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.Put(ctx, notify.Message{Target: src}); !errors.Is(err, context.Canceled) {
			t.Errorf("when there is no time: %v", err)
		}
	}
}
