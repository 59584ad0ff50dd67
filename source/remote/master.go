package remote

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"vext/internal/backoff"
)

const (
	// maxShared bounds the sessions of one master: sshd allows 10 (MaxSessions), and a
	// fetch and a poll need one each.
	maxShared  = 8
	socketLook = 5 * time.Millisecond   // between looks for a new socket
	termLimit  = 500 * time.Millisecond // from SIGTERM to SIGKILL
	maxSocket  = 103 - 17               // a path on every system, without what ssh appends while it binds
)

// sshMasters are connections of ssh, one for each host and up to maxShared sessions. ssh
// makes one for each session if several begin at once, so a master comes first: ssh -M -N.
// A master without a session ends after a while, and all end with this process.
type sshMasters struct {
	times    sshTimes
	printing sync.Map // hosts whose shells print something, of which there was a WARNING

	mu     sync.Mutex
	dir    string // of the sockets
	isTemp bool
	all    map[string][]*sshMaster // by key
	id     uint32                  // in the names of sockets, which others may have left there
	serial int
	closed bool
	wg     sync.WaitGroup // of the goroutines that run masters
}

func newSSHMasters(times sshTimes) *sshMasters {
	return &sshMasters{times: times, id: rand.Uint32(), all: map[string][]*sshMaster{}}
}

// A sshMaster is one connection.
type sshMaster struct {
	link    *sshLink // of the session for which it was started
	key     string
	prefix  string // of the path of the socket
	socket  string // after started
	cancel  context.CancelFunc
	started chan struct{} // is closed when sessions can use it, or err is set
	ended   chan struct{}
	err     error // why it could not start

	// Under the mutex of sshMasters:
	users   int
	suspect bool // a session failed, so it is checked before the next
	idle    *time.Timer

	process *process // after started, without err
}

// key is equal for links that can share a master.
func (l *sshLink) key() string {
	return strings.Join([]string{l.host, l.port, l.program.command, fmt.Sprint(l.program.isShell)}, "\x00")
}

// acquire returns a master that is connected, or nil where none can be used. The caller
// calls release.
func (m *sshMasters) acquire(ctx context.Context, l *sshLink) (*sshMaster, error) {
	if !l.canShare {
		return nil, nil
	}
	for {
		master, err := m.take(l)
		if err != nil {
			return nil, err
		}
		select {
		case <-master.started:
		case <-ctx.Done():
			m.release(master, false)
			return nil, ctx.Err()
		}
		if master.err != nil {
			m.release(master, false)
			return nil, master.err
		}
		isAlive := m.isAlive(ctx, master)
		if isAlive && ctx.Err() == nil {
			return master, nil
		}
		m.release(master, false)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		m.drop(master)
		master.cancel()
	}
}

// take returns a master that has room, or a new one, which counts the caller.
func (m *sshMasters) take(l *sshLink) (*sshMaster, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, errors.New("the ssh masters are closed")
	}
	for _, master := range m.all[l.key()] {
		if master.users < maxShared {
			master.users++
			if master.idle != nil {
				master.idle.Stop()
				master.idle = nil
			}
			return master, nil
		}
	}
	if err := m.makeDir(); err != nil {
		return nil, err
	}
	m.serial++
	ctx, cancel := context.WithCancel(context.Background())
	master := &sshMaster{
		link: l, key: l.key(), prefix: filepath.Join(m.dir, fmt.Sprintf("%08x-%d-", m.id, m.serial)),
		cancel: cancel, started: make(chan struct{}), ended: make(chan struct{}), users: 1,
	}
	m.all[master.key] = append(m.all[master.key], master)
	m.wg.Go(func() {
		defer close(master.ended)
		defer cancel()
		master.run(ctx, func() { m.drop(master) })
	})
	return master, nil
}

// release ends a use of a master. After a failed session it is checked before the next one.
func (m *sshMasters) release(master *sshMaster, hasFailed bool) {
	if master == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	master.users--
	master.suspect = master.suspect || hasFailed
	if master.users == 0 && !m.closed {
		master.idle = time.AfterFunc(m.times.idle, func() { m.endIdle(master) })
	}
}

func (m *sshMasters) endIdle(master *sshMaster) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if master.users == 0 {
		m.dropLocked(master)
		master.cancel()
	}
}

// drop has no further session use a master.
func (m *sshMasters) drop(master *sshMaster) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dropLocked(master)
}

func (m *sshMasters) dropLocked(master *sshMaster) {
	rest := slices.DeleteFunc(m.all[master.key], func(other *sshMaster) bool { return other == master })
	if m.all[master.key] = rest; len(rest) == 0 {
		delete(m.all, master.key)
	}
}

// isAlive reports whether a master can be used for a new session.
func (m *sshMasters) isAlive(ctx context.Context, master *sshMaster) bool {
	m.mu.Lock()
	suspect := master.suspect
	m.mu.Unlock()
	select {
	case <-master.process.exited:
		return false
	default:
	}
	if _, err := os.Lstat(master.socket); err != nil {
		return false // somebody has cleaned up
	}
	if !suspect {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, m.times.check)
	defer cancel()
	args, err := master.link.program.args(master.link.sshAddress, append(master.link.options(master), "-O", "check"))
	if err != nil {
		return false
	}
	if _, err = sshOutput(ctx, master.link.program.cmd(args...)); err != nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	master.suspect = false
	return true
}

// run connects, calls drop when the connection is lost, and returns when the process has
// ended. started is closed in any case.
func (s *sshMaster) run(ctx context.Context, drop func()) {
	defer func() { os.Remove(s.socket) }()
	isStarted := false
	fail := func(err error) {
		drop()
		if !isStarted {
			s.err = err
			close(s.started)
		}
	}
	options := append(s.link.options(nil), "-M", "-N", "-o", "ControlPersist=no", "-S", s.socketOption())
	args, err := s.link.program.args(s.link.sshAddress, options)
	if err == nil {
		s.process, err = startProcess(s.link.program.cmd(args...))
	}
	if err != nil {
		fail(err)
		return
	}
	defer s.process.end()
	defer drop()
	if err := s.connect(ctx); err != nil {
		fail(err)
		return
	}
	isStarted = true
	close(s.started)
	select {
	case <-s.process.exited:
	case <-ctx.Done():
		s.process.signal(syscall.SIGTERM) // it removes its socket
		select {
		case <-s.process.exited:
		case <-time.After(termLimit):
		}
	}
}

// hashLength is the length of what ssh replaces %C by: a hash of the host, port and user.
const hashLength = 40

// socketOption returns the path of the socket for ssh's option -S. An ssh to another host, for a
// pushurl, finds no socket there, and connects itself.
func (s *sshMaster) socketOption() string { return strings.ReplaceAll(s.prefix, "%", "%%") + "%C" }

// connect waits until the master has a socket, which it makes after the login.
func (s *sshMaster) connect(ctx context.Context) error {
	limit := s.link.masters.times.connect + s.link.masters.times.ready
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%s: no connection within %s", s.link.host, limit))
	defer cancel()
	for {
		found, err := filepath.Glob(s.prefix + strings.Repeat("[0-9a-f]", hashLength))
		if err != nil {
			return err
		}
		if len(found) > 0 {
			s.socket = found[0]
			return nil
		}
		select {
		case <-s.process.exited:
			return s.link.explain(s.process, nil)
		default:
		}
		if backoff.Sleep(ctx, socketLook) != nil {
			return context.Cause(ctx)
		}
	}
}

// rest ends the connections without a session.
func (m *sshMasters) rest() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, all := range m.all {
		for _, master := range slices.Clone(all) {
			if master.users == 0 {
				m.dropLocked(master)
				master.cancel()
			}
		}
	}
}

// lostNet ends all connections by force: the network is gone. They can be acquired again.
func (m *sshMasters) lostNet() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, all := range m.all {
		for _, master := range all {
			select {
			case <-master.started:
				if master.process != nil {
					master.process.kill()
				}
			default:
			}
			master.cancel()
		}
		delete(m.all, key)
	}
}

// close ends all masters and waits for them. No session may be left.
func (m *sshMasters) close() {
	m.mu.Lock()
	m.closed = true
	for _, all := range m.all {
		for _, master := range all {
			if master.idle != nil {
				master.idle.Stop()
			}
			master.cancel()
		}
	}
	m.mu.Unlock()
	m.wg.Wait()
	if m.isTemp {
		os.RemoveAll(m.dir)
	}
}

// makeDir makes the directory of the sockets, whose path must be short. Nobody else must be able
// to connect.
func (m *sshMasters) makeDir() error {
	if m.dir != "" && isPrivate(m.dir) {
		return nil
	}
	name := fmt.Sprintf("vext-%d", os.Getuid())
	for _, dir := range []string{
		filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "vext"), filepath.Join(os.TempDir(), name), filepath.Join("/tmp", name),
	} {
		if !filepath.IsAbs(dir) || !fits(dir) {
			continue
		}
		os.Mkdir(dir, 0o700)
		if isPrivate(dir) {
			m.dir = dir
			return nil
		}
	}
	if m.dir, m.isTemp = tempDir(fits); m.isTemp { // somebody else has taken the name
		return nil
	}
	return errors.New("no directory has a path that is short enough for ssh's sockets: set TMPDIR")
}

// fits reports whether sockets can be in a directory. ssh expands variables in their paths,
// and connect looks for a pattern.
func fits(dir string) bool {
	return len(dir)+len("/01234567-9999-")+hashLength <= maxSocket && !strings.ContainsAny(dir, "$*?[\\")
}
