package autosync

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"vext/internal/hint"
	"vext/internal/pidfile"
	"vext/source/autosync/peers"
	"vext/source/autosync/repo"
	"vext/source/autosync/watch"
)

// lockName is the file in the repository's Dir by which one process keeps a tree in sync.
const lockName = "autosync.pid"

// A Tree is a work tree that keeps itself in sync.
//
// The goroutine of Run is the only one that commits, pulls and pushes (loop.go). Others
// note what is to be done, and wake it: that of the watcher (watching.go), and the callers
// of the methods. What they share is guarded by mu, which is never held while anything is
// waited for.
type Tree struct {
	o       Options
	repo    repo.Repository
	place   []os.FileInfo // of the root, and of the version control, when it was opened
	lock    *pidfile.File // nil in a dry run
	writer  *writer
	rules   rules
	mounts  *mounts
	makes   func(watch.Options) watcher
	notices chan Notice
	jobs    chan func(context.Context) // what must not delay the loop, done one after the other
	signal  chan struct{}              // wakes the loop

	mu      sync.Mutex
	pending *pending
	kinds   fileKinds
	wakes   time.Time // when the loop wakes by itself; zero while it works, or for never
	paused  bool
	ended   bool
	resumed bool // Resume was called
	looked  bool // the tree was looked at as a whole
	nows    []chan error
	commits setback
	syncs   setback
	watches setback
	said    map[string]bool // setbacks
	skipped map[string]skip // files that are not committed
	remote  remoteState
	watcher watcher
	own     time.Time // changes in the repository before this time count as our own
	// committing is own for a commit: changes of files before it count as those of a hook.
	committing time.Time
	checkAt    time.Time // when to look what a person has done in the repository
	checks     int       // in a row that found nothing
	// unfinished says that the repository must repair something when a lock of another
	// process is gone.
	unfinished bool

	lastCommit *CommitStatus
	conflicts  []string
}

// A remoteState is what is known of the remote, and what is to be done there.
type remoteState struct {
	url, branch, identity string
	head, upstream        string // as far as known
	pullAt, pushAt        time.Time
	peer                  peers.Push // what a peer has pushed, if that is why
	fetchedAt             time.Time  // when something else has fetched; zero when that is taken in
	pulling               time.Time  // when the last pull began
	wanted                string     // the commit for which it was, if it is known
	changed               int        // pulls in a row that a change of a file prevented
	unpushed              int
	lastPull, lastPush    time.Time
}

// Open opens a work tree, and takes its lock: one process keeps a tree in sync.
func Open(ctx context.Context, o Options) (*Tree, error) {
	o = o.withDefaults()
	r, err := o.Repo(ctx)
	if err != nil {
		return nil, err
	}
	t := &Tree{
		o: o, repo: r, makes: newWatcher,
		notices: make(chan Notice, 64), jobs: make(chan func(context.Context), 16), signal: make(chan struct{}, 1),
		pending: newPending(o.Quiet, o.Longest), said: map[string]bool{}, skipped: map[string]skip{},
	}
	if t.rules, err = newRules(o); err != nil {
		return nil, err
	}
	if t.writer, err = newWriter(o, r.Root()); err != nil {
		return nil, err
	}
	if t.place, err = placeOf(r); err != nil {
		return nil, err
	}
	if t.mounts, err = openMounts(r, o.DryRun != nil); err != nil {
		return nil, err
	}
	if o.DryRun == nil {
		if t.lock, err = takeLock(ctx, r); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// takeLock makes this process the one that keeps a work tree in sync.
func takeLock(ctx context.Context, r repo.Repository) (*pidfile.File, error) {
	lock, err := pidfile.Take(ctx, filepath.Join(r.Dir(), lockName))
	held := new(pidfile.HeldError)
	switch {
	case errors.As(err, &held) && held.PID != 0:
		err = fmt.Errorf("%s is kept in sync by process %d", r.Root(), held.PID)
		return nil, hint.Wrap(err, "vext autosync status shows what it does")
	case errors.As(err, &held):
		return nil, fmt.Errorf("%s is kept in sync by another process", r.Root())
	case err != nil:
		return nil, fmt.Errorf("%s: %w", r.Root(), err)
	}
	return lock, nil
}

// Root returns the absolute path of the tree.
func (t *Tree) Root() string { return t.repo.Root() }

// Pause ends commits, pushes and pulls until Resume.
func (t *Tree) Pause() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.paused = true
}

// Resume ends a pause, and has a tree that has stopped look again.
func (t *Tree) Resume() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.paused, t.resumed = false, true
	t.wakeAll(t.o.Now())
	t.wake()
}

// Woke says that the machine was suspended, or has come to a new network: what was not
// reached is retried at once.
func (t *Tree) Woke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.o.Now()
	t.syncs.wake(now, Offline, Failing)
	t.remote.pullAt = earlier(t.remote.pullAt, now)
	t.wake()
}

// wakeAll has everything that waits retried now. The caller has the lock.
func (t *Tree) wakeAll(now time.Time) {
	for _, s := range []*setback{&t.commits, &t.syncs, &t.watches} {
		s.wake(now, Busy, Held, Stopped, Offline, Failing)
	}
	t.remote.pullAt = earlier(t.remote.pullAt, now)
}

// wake wakes the loop.
func (t *Tree) wake() {
	select {
	case t.signal <- struct{}{}:
	default:
	}
}

// errEnded says that a tree is not kept in sync any more.
var errEnded = errors.New("autosync of this tree has ended")

// Now commits what has changed, however much it is, pulls and pushes. It returns when this
// is done, or with the error why it could not be.
func (t *Tree) Now(ctx context.Context) error {
	done := make(chan error, 1)
	t.mu.Lock()
	if t.ended {
		t.mu.Unlock()
		return errEnded
	}
	t.nows = append(t.nows, done)
	t.wake()
	t.mu.Unlock()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// takeNows returns who waits for Now.
func (t *Tree) takeNows() []chan error {
	t.mu.Lock()
	defer t.mu.Unlock()
	nows := t.nows
	t.nows = nil
	return nows
}

// Close releases the lock. It is called after Run has returned.
func (t *Tree) Close() error {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	for _, done := range t.takeNows() {
		done <- errEnded
	}
	if t.lock == nil {
		return nil
	}
	if err := t.lock.Release(); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
