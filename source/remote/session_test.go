package remote

import (
	"context"
	"strings"
	"testing"
	"time"

	"vext/internal/backoff"
	"vext/internal/program"
)

// A remote that can't report changes is watched by the next transport. One WARNING says
// so, and RELOAD tries again.
func TestDowngrade(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tries := make(chan bool, 100)
	r := f.start(func(d *Daemon) {
		choose := d.choose
		d.choose = func(of *Remote) []transport {
			return []transport{transportFunc(func(context.Context, func(), func()) error {
				tries <- true
				return &unsupportedError{"too old"}
			}), choose(of)[0]}
		}
	})
	c := r.connection()
	r.expect("WARNING " + f.server + " too old; watching by fake instead")
	c.ready()
	r.expect("CONNECTED " + f.server)
	c.lost <- errCut
	r.expect("DISCONNECTED "+f.server, "WARNING "+f.server+" cut")
	r.connected()
	r.quiet()
	if len(tries) != 1 {
		t.Errorf("%d tries", len(tries))
	}
	r.d.Command("RELOAD")
	r.connection().ready()
	r.expect("WARNING " + f.server + " too old; watching by fake instead")
	r.quiet() // it was connected all the time
	if got := r.status("origin", stateConnected); got.Transport != "fake" || got.Since.IsZero() {
		t.Errorf("%+v", got)
	}
}

type transportFunc func(ctx context.Context, ready, changed func()) error

func (f transportFunc) String() string { return "function" }
func (f transportFunc) watch(ctx context.Context, ready, changed func()) error {
	return f(ctx, ready, changed)
}

// A panic ends one connection, and nothing else.
func TestPanics(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	panics := make(chan bool, 1)
	panics <- true
	r := f.start(func(d *Daemon) {
		choose := d.choose
		d.choose = func(of *Remote) []transport {
			select {
			case <-panics:
				return []transport{transportFunc(func(context.Context, func(), func()) error { panic("here") })}
			default:
				return choose(of)
			}
		}
	})
	r.expect("WARNING " + f.server + " panic: here; this is a bug in vext")
	r.connected()
}

// A panic in a look or a fetch is an error like others.
func TestPanicInLook(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := f.start(func(d *Daemon) {
		choose := d.choose
		d.choose = func(of *Remote) []transport { return []transport{panicking{choose(of)[0].(*fake)}} }
	})
	r.connected()
	r.expect("WARNING " + f.server + " panic: list; this is a bug in vext")
	r.d.Command("STOP")
	r.ended()
}

type panicking struct{ *fake }

func (panicking) list(context.Context, []string) (refs, error) { panic("list") }

func TestConnectPause(t *testing.T) {
	begun := time.Date(2026, 12, 4, 0, 0, 0, 0, time.UTC)
	c := connectPause{pace: defaultPace, upAt: begun}
	// The first minute: at least 3 attempts, at most 10 with the shortest pauses.
	for _, random := range []float64{0, 0.5, 0.999} {
		c, attempts := c, 0
		for at := time.Duration(0); at < time.Minute; attempts++ {
			at += backoff.Jitter(c.next(false, 0, begun.Add(at), errCut), func() float64 { return random })
		}
		if attempts < 3 || attempts > 10 {
			t.Errorf("%v: %d attempts", random, attempts)
		}
	}
	var pause time.Duration
	at := begun
	for at.Before(begun.Add(24 * time.Hour)) {
		pause = c.next(false, 0, at, errCut)
		longest := backoff.Jitter(pause, func() float64 { return 1 })
		if most := 15 * time.Second; at.Before(begun.Add(time.Hour)) && longest > most || longest > 5*time.Minute {
			t.Fatalf("%s at %s", longest, at.Sub(begun))
		}
		at = at.Add(pause)
	}
	if pause != 4*time.Minute {
		t.Errorf("%s after a day", pause)
	}
	if got := c.next(true, 59*time.Second, at, errCut); got != 11*time.Second {
		t.Errorf("%s after a short connection", got)
	}
	if got := c.next(true, time.Minute, at, errCut); got != time.Second {
		t.Errorf("%s after a connection", got)
	}
	if got := c.next(false, 0, at, &program.Error{Stderr: "fatal: unable to access: The requested URL returned error: 429"}); got != 30*time.Second {
		t.Errorf("%s after 429", got)
	}
}

// After a suspend every remote is connected again.
func TestWake(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := f.start()
	r.connected()
	r.d.reconnect(t.Context())
	r.expect("DISCONNECTED " + f.server)
	r.connected()
}

// Polling: CONNECTED comes with the first answer, and each poll compares.
func TestPolling(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	gitFor(t, f.clone, "config", "remote.origin.vextInterval", "1s")
	f.other("git commit -q --allow-empty -m two; git push -q origin main; mv " + f.server + " " + f.server + ".away")
	r := f.start(func(d *Daemon) { d.choose = func(r *Remote) []transport { return []transport{newPoll(d, r)} } })
	r.expect("WARNING " + f.server + " git ls-remote: *")
	f.other("mv " + f.server + ".away " + f.server)
	r.expect("CONNECTED " + f.server)
	r.synced("1")
	f.other("git commit -q --allow-empty -m three; git push -q origin main")
	r.synced("1")
	gitFor(t, f.clone, "update-ref", "-d", "refs/remotes/origin/main") // here, not there
	r.synced("1")
	f.equal()
	if got := r.status("origin", stateConnected); got.Transport != "polling" || got.Fetched.IsZero() || got.Changed.IsZero() {
		t.Errorf("%+v", got)
	}
	f.other("mv " + f.server + " " + f.server + ".away")
	r.expect("DISCONNECTED " + f.server)
}

func TestPollPause(t *testing.T) {
	p := newPoll(&Daemon{pace: defaultPace}, &Remote{})
	polls, at := 0, time.Duration(0)
	for ; at < 10*time.Minute; polls++ {
		at += p.pause(at)
	}
	if polls > 20 {
		t.Errorf("%d polls in 10 minutes", polls)
	}
	for unchanged, want := range map[time.Duration]time.Duration{0: 15 * time.Second, time.Minute: 15 * time.Second, time.Hour: 10 * time.Minute, 20 * time.Minute: 5 * time.Minute} {
		if got := p.pause(unchanged); got != want {
			t.Errorf("%s after %s, want %s", got, unchanged, want)
		}
	}
	p.r.Interval = 7 * time.Second
	if got := p.pause(time.Hour); got != p.r.Interval {
		t.Errorf("%s", got)
	}
}

func TestProgress(t *testing.T) {
	var out strings.Builder
	p := &progress{out: &out, hide: (&Remote{}).hide, seen: func() {}}
	for _, part := range []string{"remote: Counting objects:  50% (1/2)\rremote: Counting objects: 100% (2/2), done.        \n", "From /srv/x\n   a..b  main -> o", "rigin/main\n",
		"remote: Enumerating objects: 5, done.\nremote: Total 3 (delta 0), reused 0\nReceiving objects: 100% (3/3), done.\nremote: hello\n", strings.Repeat("x", 100000)} {
		if n, err := p.Write([]byte(part)); n != len(part) || err != nil {
			t.Error(n, err)
		}
	}
	if want := "From /srv/x\n   a..b  main -> origin/main\nremote: hello\n"; out.String() != want {
		t.Errorf("%q", out.String())
	}
}

// A remote that reports changes without end, and has none, is not asked without end.
func TestLooksInVain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	looks := make(chan bool, 10000)
	r := f.start(func(d *Daemon) {
		d.choose = func(*Remote) []transport { return []transport{&eager{looks: looks, server: f.server}} }
	})
	r.expect("CONNECTED " + f.server)
	time.Sleep(2 * time.Second)
	if n := len(looks); n < vainBurst || n > vainBurst+4 {
		t.Errorf("%d looks in 2 seconds", n)
	}
	f.other("git commit -q --allow-empty -m two; git push -q origin main")
	r.synced("1")
}

// A report that comes while fetches fail does not replace their backoff.
func TestFailuresInVain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	gitFor(t, f.clone, "config", "remote.origin.uploadpack", "false;")
	r := f.start(func(d *Daemon) {
		d.pace.fetch = backoff.Backoff{Min: time.Hour, Max: time.Hour}
		d.choose = func(*Remote) []transport { return []transport{&eager{looks: make(chan bool, 10000), server: f.server}} }
	})
	r.expect("CONNECTED " + f.server)
	f.other("git commit -q --allow-empty -m two; git push -q origin main")
	time.Sleep(3 * time.Second)
	r.d.Command("PAUSE")
	if n := len(r.events); n > 16 {
		t.Errorf("%d events", n)
	}
}

// An eager transport reports changes all the time.
type eager struct {
	looks  chan bool
	server string
}

func (*eager) String() string { return "eager" }

func (*eager) watch(ctx context.Context, ready, changed func()) error {
	for ready(); ctx.Err() == nil; backoff.Sleep(ctx, time.Millisecond) {
		changed()
	}
	return ctx.Err()
}

func (e *eager) list(ctx context.Context, _ []string) (refs, error) {
	e.looks <- true
	out, err := gitIn(ctx, e.server, "show-ref")
	return parseRefs(string(out), " "), err
}
