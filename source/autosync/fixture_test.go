package autosync

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vext/source/autosync/peers"
	"vext/source/autosync/repo"
	"vext/source/autosync/repo/repotest"
	"vext/source/autosync/watch"
)

// A fakeWatcher reports what a test says.
type fakeWatcher struct {
	events chan []watch.Event
	fail   chan error
	stuck  chan struct{} // Reconsider waits until it is closed; nil for never
}

func newFakeWatcher() *fakeWatcher {
	return &fakeWatcher{events: make(chan []watch.Event, 100), fail: make(chan error, 1)}
}

func (w *fakeWatcher) Run(ctx context.Context) error {
	defer close(w.events)
	w.events <- []watch.Event{{All: true}}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-w.fail:
		return err
	}
}

func (w *fakeWatcher) Events() <-chan []watch.Event { return w.events }
func (w *fakeWatcher) Mode() string                 { return "fake" }
func (w *fakeWatcher) Watched() int                 { return 1 }
func (w *fakeWatcher) Reconsider() {
	if w.stuck != nil {
		<-w.stuck
	}
}

// A machine is a tree that runs in a synctest bubble.
type machine struct {
	t    *testing.T
	root string
	fake *repotest.Fake
	tree *Tree
	stop context.CancelFunc
	done chan struct{}

	mu       sync.Mutex
	watcher  *fakeWatcher
	pushes   []peers.Push
	notices  []Notice
	writing  map[string]bool // files that a process has open for writing
	mounts   []string        // the mount points in the tree
	log      strings.Builder
	announce func(peers.Push)
}

// lockedLog is the log of a machine.
type lockedLog struct{ m *machine }

func (l lockedLog) Write(p []byte) (int, error) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	return l.m.log.Write(p)
}

// start runs a tree until the test ends.
func start(t *testing.T, remote *repotest.Remote, host string, change func(*Options)) *machine {
	t.Helper()
	m := &machine{t: t, root: filepath.Join(t.TempDir(), host), done: make(chan struct{})}
	var err error
	if m.fake, err = repotest.NewFake(remote, repo.Options{Path: m.root, Host: host, Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	m.run(host, change)
	return m
}

// options returns the options of the machine's tree, with the times and bounds that the
// configuration has by default.
func (m *machine) options(host string) Options {
	return Options{
		Repo: func(context.Context) (repo.Repository, error) { return m.fake, nil }, Host: host, Now: time.Now,
		Quiet: 2 * time.Second, Longest: time.Minute, PushAfter: 5 * time.Second, PullEvery: 10 * time.Minute,
		Rescan: time.Hour, Poll: 30 * time.Second,
		MaxFile: 50 << 20, MaxChangeFiles: 1000, MaxChangeBytes: 500 << 20,
	}
}

// run opens the tree and runs it.
func (m *machine) run(host string, change func(*Options)) {
	m.t.Helper()
	o := m.options(host)
	o.Announce = func(_ context.Context, p peers.Push) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.pushes = append(m.pushes, p)
		if m.announce != nil {
			m.announce(p)
		}
	}
	o.Notify = func(_ context.Context, n Notice) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.notices = append(m.notices, n)
	}
	o.Log = slog.New(slog.NewTextHandler(lockedLog{m}, nil))
	if change != nil {
		change(&o)
	}
	var err error
	if m.tree, err = Open(m.t.Context(), o); err != nil {
		m.t.Fatal(err)
	}
	m.tree.makes = func(watch.Options) watcher {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.watcher = newFakeWatcher()
		return m.watcher
	}
	m.tree.rules.open = func([]string) (map[string]bool, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		return maps.Clone(m.writing), nil
	}
	m.tree.mounts.find = func() ([]string, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		return slices.Clone(m.mounts), nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	m.done = done
	go func() {
		defer close(done)
		if err := m.tree.Run(ctx); err != nil {
			m.t.Error(err)
		}
	}()
	var once sync.Once
	m.stop = func() {
		once.Do(func() {
			cancel()
			<-done
			if err := m.tree.Close(); err != nil {
				m.t.Error(err)
			}
		})
	}
	m.t.Cleanup(m.stop)
	synctest.Wait()
}

// write writes files, and has the watcher report them: "name=content", or "name" to remove.
func (m *machine) write(files ...string) {
	m.t.Helper()
	var events []watch.Event
	for _, f := range files {
		name, content, isThere := strings.Cut(f, "=")
		full := filepath.Join(m.root, name)
		if !isThere {
			if err := os.RemoveAll(full); err != nil {
				m.t.Fatal(err)
			}
		} else {
			if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
				m.t.Fatal(err)
			}
			if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
				m.t.Fatal(err)
			}
		}
		events = append(events, watch.Event{Path: name, Gone: !isThere})
	}
	m.events(events...)
}

// events has the watcher report something.
func (m *machine) events(events ...watch.Event) {
	m.mu.Lock()
	w := m.watcher
	m.mu.Unlock()
	w.events <- events
	synctest.Wait()
}

// pass waits, by the clock of the bubble.
func (m *machine) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// subjects returns the first lines of all messages, the first commit first.
func (m *machine) subjects() (all []string) {
	for _, message := range m.fake.Log() {
		subject, _, _ := strings.Cut(message, "\n")
		all = append(all, subject)
	}
	slices.Reverse(all)
	return all
}

// opened notes which files a process has open for writing.
func (m *machine) opened(names ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writing = map[string]bool{}
	for _, name := range names {
		m.writing[filepath.Join(m.root, name)] = true
	}
}

// mounted makes these the mount points in the tree.
func (m *machine) mounted(dirs ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mounts = dirs
}

// commits fails the test unless these are the subjects of all commits.
func (m *machine) commits(want ...string) {
	m.t.Helper()
	if got := m.subjects(); !slices.Equal(got, want) {
		m.t.Errorf("commits %q, want %q", got, want)
	}
}

// state fails the test unless the tree is in that state.
func (m *machine) state(want State) Status {
	m.t.Helper()
	s := m.tree.Status()
	if s.State != want {
		m.t.Errorf("state %s (%s), want %s", s.State, s.Reason, want)
	}
	return s
}

// logged returns how often the log has a text.
func (m *machine) logged(text string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Count(m.log.String(), text)
}

// shown returns the titles of the notices.
func (m *machine) shown() (titles []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.notices {
		titles = append(titles, n.Title)
	}
	return titles
}
