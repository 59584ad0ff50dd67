package irc

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/internal/target"
	"vext/notify"
	"vext/notify/outboxtest"
)

// An outlet that can be asked how things stand: a Client, or one in another
// process.
type outlet interface {
	notify.Outbox
	Status(context.Context) ([]NetworkStatus, error)
	Drop(context.Context, string) (int, error)
}

// promised returns what the suite of notify.Outbox wants of o; c is the client
// behind it.
func promised(t *testing.T, o notify.Outbox, c *Client) outboxtest.Case {
	where := func(key string) place {
		known, err := c.outbox.outcomes([]string{key})
		if err != nil || len(known) != 1 {
			t.Fatalf("%s: %+v, %v", key, known, err)
		}
		return place{known[key].Target, known[key].Number}
	}
	end := func(key string, end func(place)) {
		end(where(key))
		<-c.Settled()
	}
	return outboxtest.Case{
		Outbox: o,
		Claim: func(key string) {
			p := where(key)
			if _, ok, err := c.outbox.take(p.target, p.number-1); !ok || err != nil {
				t.Errorf("%s: %v, %v", key, ok, err)
			}
		},
		Tell:   func(key string) { end(key, func(p place) { c.outbox.tell(p, noon) }) },
		Reject: func(key, why string) { end(key, func(p place) { c.outbox.reject(p, why, noon) }) },
	}
}

// newClient returns a client that is not connected to anything.
func newClient(t *testing.T, state string) *Client {
	t.Helper()
	c := NewClient(openOutbox(t, state))
	c.Settings = func(*target.Target) Settings { return Default() }
	c.Log, c.Now = slog.New(slog.DiscardHandler), func() time.Time { return noon }
	return c
}

// TestOutlets holds both implementations to the interface.
func TestOutlets(t *testing.T) {
	client := func(t *testing.T) (outlet, *Client) {
		c := newClient(t, t.TempDir())
		return c, c
	}
	remote := func(t *testing.T) (outlet, *Client) {
		state := t.TempDir()
		c := newClient(t, state)
		return openDoor(t, c, state), c
	}
	for name, open := range map[string]func(*testing.T) (outlet, *Client){"client": client, "remote": remote} {
		t.Run(name, func(t *testing.T) {
			o, c := open(t)
			testOutlet(t, o, c)
			outboxtest.Test(t, func(t *testing.T) outboxtest.Case {
				o, c := open(t)
				return promised(t, o, c)
			})
		})
	}
}

// openDoor serves the door of a client until the test ends, and knocks at it.
func openDoor(t *testing.T, c *Client, state string) *Remote {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- c.ServeDoor(ctx, state) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	for {
		r, err := Knock(state)
		if err == nil {
			return r
		}
		if !errors.Is(err, ErrNobody) {
			t.Fatal(err)
		}
	}
}

// testOutlet tests what o promises; c is the client behind it.
func testOutlet(t *testing.T, o outlet, c *Client) {
	ctx := t.Context()
	line := func(key string) notify.Message {
		return notify.Message{Target: src, Text: key, Key: key, Reminder: true}
	}
	if err := o.Put(ctx, line("a"), line("b"), line("a"), line("c")); err != nil {
		t.Fatal(err)
	}
	if err := o.Put(ctx, line("d"), notify.Message{Target: "irc://", Text: "x"}); err == nil {
		t.Error("a target that is none was taken")
	}
	waiting := func(want ...string) {
		t.Helper()
		got, err := o.Pending(ctx)
		if slices.Sort(got); err != nil || !slices.Equal(got, want) {
			t.Errorf("waiting %q, %v, want %q", got, err, want)
		}
	}
	waiting("a", "b", "c")
	r, _, err := c.outbox.take(src, 0)
	if err != nil || r.Text != "a" {
		t.Fatalf("first is %q, %v", r.Text, err)
	}
	if back, err := o.Withdraw(ctx, "a", "b", "x"); err != nil || !slices.Equal(back, []string{"b"}) {
		t.Errorf("withdrawn %q, %v", back, err)
	}
	c.outbox.tell(place{src, r.number}, noon)
	<-c.Settled()
	waiting("c")
	outcomes, err := o.Outcomes(ctx, "a", "b", "c")
	if err != nil || len(outcomes) != 2 || !outcomes["a"].Delivered.Equal(noon) || !outcomes["a"].Accepted.Equal(noon) || !outcomes["c"].Delivered.IsZero() {
		t.Errorf("outcomes %+v, %v", outcomes, err)
	}
	if err := o.Forget(ctx, "a", "c"); err != nil {
		t.Fatal(err)
	}
	waiting()
	if texts, _ := takeAll(t, c.outbox); !slices.Equal(texts, []string{"c"}) {
		t.Errorf("left are %q: what is forgotten is told all the same", texts)
	}
	if status, err := o.Status(ctx); err != nil || len(status) != 1 || status[0].Channels[0].Backlog != 1 {
		t.Errorf("status of one that does not run: %+v, %v", status, err)
	}
	if err := o.Put(ctx, notify.Message{Target: src + "?key=x", Text: "y", Key: "y"}, line("r")); err != nil {
		t.Fatal(err)
	}
	if n, err := o.Drop(ctx, src); err != nil || n != 1 {
		t.Errorf("dropped %d, %v: a reminder stays, and so does what is on the wire", n, err)
	}
	waiting("r")
	if err := o.Forget(ctx, "r"); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := o.Put(ended, line("e")); err == nil {
		waiting("e") // it was fast
	}
}

// A door that a crash has left there is nobody's, and does not stay in the way;
// one far down in the file system is a door, too.
func TestDoor(t *testing.T) {
	state := filepath.Join(t.TempDir(), strings.Repeat("long/", 30))
	if err := os.MkdirAll(state, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := Knock(state); !errors.Is(err, ErrNobody) {
		t.Errorf("without a door: %v", err)
	}
	c := newClient(t, state)
	if err := os.WriteFile(filepath.Join(state, dirName, doorName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Knock(state); !errors.Is(err, ErrNobody) {
		t.Errorf("at a door that is left: %v", err)
	}
	r := openDoor(t, c, state)
	if err := r.Put(t.Context(), notify.Message{Target: src, Text: "x"}); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// At the end a call that was made is answered; whoever calls later is told that
// nobody is there.
func TestDoorEnds(t *testing.T) {
	state := t.TempDir()
	c := newClient(t, state)
	called, release := make(chan bool), make(chan bool)
	c.Now = func() time.Time { called <- true; <-release; return noon }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- c.ServeDoor(ctx, state) }()
	knock := func() *Remote {
		for {
			if r, err := Knock(state); !errors.Is(err, ErrNobody) {
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
		}
	}
	busy, idle := knock(), knock()
	if _, err := idle.Pending(t.Context()); err != nil {
		t.Fatal(err)
	}
	put := make(chan error)
	line := notify.Message{Target: src, Text: "a", Key: "a"}
	go func() { put <- busy.Put(t.Context(), line) }()
	<-called
	cancel()
	for {
		_, err := idle.Pending(t.Context())
		if errors.Is(err, ErrGone) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	close(release)
	if err := <-put; err != nil {
		t.Errorf("a call at the end: %v", err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := busy.Put(t.Context(), line); !errors.Is(err, ErrGone) {
		t.Errorf("a call after the end: %v", err)
	}
	if _, err := Knock(state); !errors.Is(err, ErrNobody) {
		t.Errorf("a knock after the end: %v", err)
	}
}

// Nobody waits for long for one who has the outbox and is stopped, also with
// more to say than the system keeps for him.
func TestDoorSilent(t *testing.T) {
	state := t.TempDir()
	if err := os.Mkdir(filepath.Join(state, dirName), dirMode); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(state, dirName, doorName))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, text := range []string{"x", strings.Repeat("x", 10<<20)} {
		r, err := Knock(state)
		if err != nil {
			t.Fatal(err)
		}
		r.limit = 20 * time.Millisecond
		if err := r.Put(t.Context(), notify.Message{Target: src, Text: text}); !errors.Is(err, ErrSilent) {
			t.Errorf("%d bytes: %v", len(text), err)
		}
		r.limit = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.Put(ctx, notify.Message{Target: src}); !errors.Is(err, context.Canceled) {
			t.Errorf("when there is no time: %v", err)
		}
		r.Close()
	}
}

// What can be in there is not for others.
func TestModes(t *testing.T) {
	state := t.TempDir()
	openOutbox(t, state)
	for name, want := range map[string]os.FileMode{dirName: dirMode, dirName + "/" + outboxName: outboxMode} {
		info, err := os.Stat(filepath.Join(state, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}
