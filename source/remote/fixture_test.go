package remote

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/backoff"
	"vext/internal/testkit"
)

// A fixture is a server's repository, a clone that pushes there, and the clone that a
// daemon watches.
type fixture struct {
	t                      *testing.T
	server, pushing, clone string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	dir := testkit.Scratch(t)
	f := &fixture{t, filepath.Join(dir, "server.git"), filepath.Join(dir, "pushing"), filepath.Join(dir, "clone")}
	gitFor(t, dir, "init", "-q", "--bare", "-b", "main", f.server)
	gitFor(t, dir, "init", "-q", "-b", "main", f.pushing)
	f.other("git remote add origin " + f.server + "; git commit -q --allow-empty -m one; git push -q origin main")
	gitFor(t, dir, "clone", "-q", f.server, f.clone)
	return f
}

// other runs commands of the shell where one pushes from.
func (f *fixture) other(script string) { f.t.Helper(); shell(f.t, f.pushing, script) }

func shell(t *testing.T, dir, script string) string {
	t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// equal checks that the clone has the branches of the server, and no more.
func (f *fixture) equal() {
	f.t.Helper()
	theirs := gitFor(f.t, f.server, "for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads/")
	ours := gitFor(f.t, f.clone, "for-each-ref", "--format=%(if)%(symref)%(then)%(else)%(objectname) %(refname:lstrip=3)%(end)", "refs/remotes/origin/")
	ours = strings.TrimSpace(strings.ReplaceAll("\n"+ours+"\n", "\n\n", "\n"))
	if ours != theirs {
		f.t.Errorf("the clone has\n%s\nthe server has\n%s", ours, theirs)
	}
}

// A fake is a transport that a test controls. Each connection is a new one.
type fake struct {
	made  chan *fake
	lost  chan error    // ends the connection
	dead  chan struct{} // closed at its end
	ready func()
	say   func()
}

func (f *fake) String() string { return "fake" }

func (f *fake) watch(ctx context.Context, ready, changed func()) error {
	defer close(f.dead)
	f.ready, f.say = ready, changed
	f.made <- f
	select {
	case err := <-f.lost:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A running is a daemon with fake transports.
type running struct {
	*fixture
	d      *Daemon
	events chan string
	made   chan *fake
	done   chan error
	stop   context.CancelFunc
}

// testPace has no pause that a test would notice, but for those between polls.
var testPace = pace{
	check: 20 * time.Millisecond, connect: backoff.Backoff{Min: 5 * time.Millisecond, Max: 20 * time.Millisecond}, upMax: 20 * time.Millisecond,
	upFor: time.Hour, steady: time.Minute, fetch: backoff.Backoff{Min: 20 * time.Millisecond, Max: 50 * time.Millisecond},
	lock: 50 * time.Millisecond, turn: 500 * time.Millisecond, list: time.Minute, idle: time.Minute, poll: backoff.Backoff{Min: time.Hour, Max: time.Hour},
}

// within is how long a test waits for what should happen at once.
const within = 20 * time.Second

// start starts a daemon on the clone.
func (f *fixture) start(changes ...func(*Daemon)) *running {
	f.t.Helper()
	r := &running{fixture: f, events: make(chan string, 1000), made: make(chan *fake, 100), done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	d, err := Open(ctx, Options{
		Dir: f.clone, Chatter: f.t.Output(), Now: time.Now, Log: slog.New(slog.NewTextHandler(f.t.Output(), nil)),
		Emit: func(e Event) { r.events <- e.Line(false) },
	})
	if err != nil {
		f.t.Fatal(err)
	}
	d.pace = testPace
	d.choose = func(*Remote) []transport {
		return []transport{&fake{made: r.made, lost: make(chan error, 1), dead: make(chan struct{})}}
	}
	for _, change := range changes {
		change(d)
	}
	r.d = d
	go func() { r.done <- d.Run(ctx) }()
	f.t.Cleanup(func() { cancel(); <-d.ended })
	return r
}

// connection returns the next connection, before it is ready.
func (r *running) connection() *fake {
	r.t.Helper()
	select {
	case f := <-r.made:
		return f
	case <-time.After(within):
		r.t.Fatal("no connection")
		return nil
	}
}

// connected returns the next connection, ready.
func (r *running) connected() *fake {
	r.t.Helper()
	c := r.connection()
	c.ready()
	r.expect("CONNECTED " + r.server)
	return c
}

// expect waits for events; * stands for any text.
func (r *running) expect(lines ...string) {
	r.t.Helper()
	for _, want := range lines {
		select {
		case got := <-r.events:
			if before, after, any := strings.Cut(want, "*"); got != want && !(any && strings.HasPrefix(got, before) && strings.HasSuffix(got, after)) {
				r.t.Fatalf("event %q, want %q", got, want)
			}
		case <-time.After(within):
			r.t.Fatalf("no event, want %q", want)
		}
	}
}

// synced waits for a whole fetch.
func (r *running) synced(ok string) {
	r.t.Helper()
	r.expect("SYNCING "+r.server, "DONESYNCING "+r.server+" "+ok)
}

// quiet checks that nothing happens.
func (r *running) quiet() {
	r.t.Helper()
	select {
	case got := <-r.events:
		r.t.Fatalf("event %q, want none", got)
	case <-time.After(300 * time.Millisecond):
	}
}

// ended waits for the end of the daemon.
func (r *running) ended() {
	r.t.Helper()
	select {
	case err := <-r.done:
		if err != nil {
			r.t.Error(err)
		}
	case <-time.After(within):
		r.t.Fatal("the daemon does not end")
	}
}

var errCut = errors.New("cut")
