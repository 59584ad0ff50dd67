package remote

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"vext/internal/backoff"
)

// Optional methods of a transport.
type (
	// A lister lists the refs of the remote in a cheaper way than git ls-remote.
	// prefixes are beginnings of the names that are wanted; none means all. More refs
	// than these do no harm. A tag's entry "refs/tags/v1^{}" has the object it points to.
	lister interface {
		list(ctx context.Context, prefixes []string) (refs, error)
	}
	// An environer adds variables to the environment of a git command that contacts the
	// remote, such as GIT_SSH_COMMAND. done is called when the command has ended.
	environer interface {
		environ(ctx context.Context) (env []string, done func())
	}
)

// transportsFor returns the transports of a remote, the best first. The last is always
// that of polling.
func (d *Daemon) transportsFor(r *Remote) []transport {
	var all []transport
	if path, ok := localPath(r.URL, d.clone.top); ok {
		all = append(all, newLocal(path, func(text string) { d.warn("%s: %s", r.Name, text) }))
	}
	polling := newPoll(d, r)
	if _, ok, err := parseSSH(r.URL); ok && err == nil {
		ssh := d.newSSH(r)
		polling.ssh = ssh
		all = append(all, ssh)
	}
	return append(all, polling)
}

// A session watches one remote. Its goroutine, which start starts, is the only one that
// connects, looks and fetches; another one of the daemon starts and cancels it.
type session struct {
	d        *Daemon
	remote   atomic.Pointer[Remote]
	looks    chan struct{} // the remote or the clone may have changed
	wakes    chan struct{} // ends a backoff
	stop     context.CancelCauseFunc
	ended    chan struct{}
	reported [sha256.Size]byte // of the refs that Options.Fetched knows

	mu      sync.Mutex
	status  RemoteStatus
	now     transport       // of the latest connection
	level   int             // of the transports: those before can't be used
	isLower bool            // the connection's transport has a level that upgrade has reset
	stuck   refs            // what the remote had when a fetch could not update every ref
	offered []string        // refs of CHANGED
	warned  map[string]bool // WARNINGs that were emitted
}

func newSession(d *Daemon, r *Remote) *session {
	s := &session{d: d, looks: make(chan struct{}, 1), wakes: make(chan struct{}, 1), warned: map[string]bool{}}
	s.remote.Store(r)
	s.status = RemoteStatus{Name: r.Name, URI: r.URI, State: statePaused}
	return s
}

// start starts the goroutine of a session, unless it runs.
func (s *session) start(ctx context.Context) {
	if s.stop != nil {
		return
	}
	ctx, s.stop = context.WithCancelCause(ctx)
	s.ended = make(chan struct{})
	s.set(func(st *RemoteStatus) { st.State = stateConnecting })
	go func() {
		defer close(s.ended)
		s.run(ctx)
	}()
}

// cancel has the goroutine end; wait waits until it has.
func (s *session) cancel(cause error) {
	if s.stop != nil {
		s.stop(cause)
	}
}

func (s *session) wait() {
	if s.stop != nil {
		<-s.ended
		s.stop = nil
	}
}

// kick has the session compare the refs. It never blocks: several kicks at once count as
// one, and one that comes during a fetch causes another look after it.
func (s *session) kick() { signal(s.looks) }

// wake is kick, and also ends a backoff.
func (s *session) wake() {
	signal(s.looks)
	signal(s.wakes)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// update has the session go on with the new configuration of its remote.
func (s *session) update(r *Remote) {
	if !s.remote.Load().equal(r) {
		s.remote.Store(r)
		s.forget()
		s.kick()
	}
}

// forget has the next look fetch again what could not be fetched before.
func (s *session) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stuck = nil
}

// upgrade has the session try the better transports again. A connection by another one
// ends for that, and without an event.
func (s *session) upgrade() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isLower = s.level > 0
	s.level = 0
	clear(s.warned)
}

// errUpgrade ends a connection after upgrade.
var errUpgrade = errors.New("trying a better transport")

func (s *session) mayUpgrade() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isLower
}

// offer has the session push these refs, if its remote wants them.
func (s *session) offer(names []string) {
	if len(names) > 0 {
		s.keepOffered(names)
		s.kick()
	}
}

func (s *session) keepOffered(names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		if len(s.offered) < maxOffered && !slices.Contains(s.offered, name) {
			s.offered = append(s.offered, name)
		}
	}
}

// maxOffered bounds the refs that wait for a connection.
const maxOffered = 10000

// run connects until ctx ends.
func (s *session) run(ctx context.Context) {
	defer s.left(ctx)
	s.reportStart(ctx)
	pause := connectPause{pace: s.d.pace, upAt: s.d.opts.Now()}
	for ctx.Err() == nil {
		begun := s.d.opts.Now()
		err := s.guard(func() error { return s.connection(ctx) })
		switch {
		case ctx.Err() != nil:
			return
		case err == errUpgrade, isUnsupported(err) && s.downgrade(err):
			continue
		}
		now := s.d.opts.Now()
		connected := s.disconnected(err)
		after := pause.next(connected, now.Sub(begun), now, err)
		s.sleep(ctx, backoff.Jitter(after, s.d.random))
	}
}

// left emits what the end of a session asks for.
func (s *session) left(ctx context.Context) {
	if context.Cause(ctx) == errPaused || context.Cause(ctx) == errRemoved {
		s.disconnected(nil)
	}
	s.set(func(st *RemoteStatus) { st.State, st.Retry = statePaused, time.Time{} })
}

// guard calls f, and turns a panic into an error.
func (s *session) guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.d.opts.Log.Error("panic", "remote", s.remote.Load().Name, "reason", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v; this is a bug in vext", r)
		}
	}()
	return f()
}

// sleep waits before the next attempt to connect.
func (s *session) sleep(ctx context.Context, pause time.Duration) {
	s.set(func(st *RemoteStatus) { st.State, st.Retry = stateWaiting, s.d.opts.Now().Add(pause) })
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.wakes:
	case <-ctx.Done():
	}
	s.set(func(st *RemoteStatus) { st.Retry = time.Time{} })
}

// transport returns the best transport that the remote may have.
func (s *session) transport() transport {
	all := s.d.choose(s.remote.Load())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.level = min(s.level, len(all)-1)
	s.now, s.isLower = all[s.level], false
	return s.now
}

// downgrade has the next connection use the next transport, and reports whether there is
// one.
func (s *session) downgrade(err error) bool {
	all := s.d.choose(s.remote.Load())
	s.mu.Lock()
	if s.level+1 >= len(all) {
		s.mu.Unlock()
		return false
	}
	s.level++
	s.mu.Unlock()
	s.warnOnce("downgrade", fmt.Sprintf("%v; watching by %s instead", err, all[s.level]))
	return true
}

// connection connects once, and looks and fetches until the connection is lost.
func (s *session) connection(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	t := s.transport()
	s.set(func(st *RemoteStatus) {
		if st.State != stateConnected {
			st.State = stateConnecting
		}
	})
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.guard(func() error { return t.watch(ctx, sync.OnceFunc(func() { close(ready) }), s.kick) })
	}()
	var lost error
	defer func() {
		cancel(context.Canceled)
		if lost == nil {
			<-done
		}
	}()
	select {
	case <-ready:
	case lost = <-done:
		return orLost(lost)
	case <-ctx.Done():
		return ctx.Err()
	}
	s.connected()
	s.forget()
	s.kick()
	var retry retryTimer
	defer retry.stop()
	vain := vainPace{looks: s.looks}
	for {
		select {
		case <-vain.looks:
		case <-vain.rest:
			vain.looks, vain.rest = s.looks, nil
			continue
		case <-retry.C():
		case <-s.wakes:
			if s.mayUpgrade() {
				return errUpgrade
			}
			vain = vainPace{looks: s.looks}
			continue // it is connected
		case lost = <-done:
			lost = orLost(lost)
			return lost
		case <-ctx.Done():
			return ctx.Err()
		}
		fetched := s.snapshot().Fetched
		err := s.work(ctx, t)
		if err == nil {
			if retry.failures > 0 {
				s.set(func(st *RemoteStatus) { st.Error = "" })
			}
			retry.reset()
		} else if ctx.Err() == nil {
			s.failed(err, retry.failures > 0) // what a retry repairs is not worth a WARNING
			retry.again(s.d.pace.fetch, s.d.random)
		}
		vain.looked(s.d.opts.Now(), !s.snapshot().Fetched.Equal(fetched), retry.failures)
	}
}

// orLost returns err, or an error where a transport has ended without one.
func orLost(err error) error {
	if err == nil {
		return errors.New("the connection was closed")
	}
	return err
}

// work fetches what is new and pushes what was offered. After an error that is
// retried after a backoff.
func (s *session) work(ctx context.Context, t transport) error {
	return errors.Join(s.guard(func() error { return s.sync(ctx, t) }), s.guard(func() error { return s.push(ctx, t) }))
}
