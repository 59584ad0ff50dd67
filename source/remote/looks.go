package remote

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"vext/internal/backoff"
	"vext/internal/commit"
	"vext/internal/socket"
	"vext/internal/throttle"
	"vext/internal/weburl"
)

// vext serve learns of a push by the webhook of a forge, and notifies each daemon of this
// machine that has the repository as a remote. A daemon has a socket for that in a
// directory where vext serve finds it:
//
//	$XDG_RUNTIME_DIR/vext/remotes  for a vext serve of the same user
//	/run/vext/remotes              for that of the machine; everybody may add a socket
//
// Everybody may connect, and cause no more than a look, at most one a second for each
// remote. A request does not show a stranger's socket which repository was pushed to: it
// has digests, which only a daemon can check that knows the repository.

// A lookRequest is the one line that comes over a connection. Nothing is answered.
type lookRequest struct {
	Nonce        string   `json:"nonce"`
	Repositories []string `json:"repositories"` // digests of its names
}

const (
	maxLookRequest = 4 << 10
	maxLookNames   = 20
	// lookPause is the time between two looks at one remote that a request causes.
	lookPause = time.Second
	// registerPause is how often a daemon makes sure that it can be found.
	registerPause = 10 * time.Second
	// notifyTime bounds the time to notify one daemon, and maxNotified their number.
	notifyTime  = 2 * time.Second
	maxNotified = 1000
)

func digest(nonce, name string) string {
	sum := sha256.Sum256([]byte(nonce + "\x00" + name))
	return hex.EncodeToString(sum[:])
}

// places returns by what a repository is recognised: where it is, and its name, because a
// forge may know itself by another host name. The URL of a page has both.
func places(name string) []string {
	all := []string{strings.ToLower(commit.RepositoryName(name))}
	if at := weburl.Parse(name); strings.Contains(name, ":") || at.IsLocal() && filepath.IsAbs(name) {
		all = append(all, at.Place())
	}
	return all
}

// machineDir is that of the machine; tests have none.
var machineDir = func() string {
	if _, err := os.Stat("/run"); err == nil {
		return "/run/vext/remotes"
	}
	return "/var/run/vext/remotes"
}

// lookDirs returns the directories for the sockets, of which some may be missing.
func lookDirs() []string {
	dirs := []string{machineDir()}
	if own := os.Getenv("XDG_RUNTIME_DIR"); own != "" {
		dirs = append(dirs, filepath.Join(own, "vext", "remotes"))
	}
	return dirs
}

// MakeLookDir makes the directories in which NotifyRemotes looks for daemons, as far as the
// process may. Without one, daemons poll.
func MakeLookDir() {
	for _, dir := range lookDirs() {
		mode := fs.FileMode(0o700)
		if dir == machineDir() {
			mode = 0o777 | fs.ModeSticky
		}
		parent := filepath.Dir(dir)
		if _, err := os.Stat(filepath.Dir(parent)); err == nil && os.Mkdir(parent, mode&0o755) == nil {
			os.Chmod(parent, mode&0o755) // whatever the umask
		}
		if os.Mkdir(dir, mode) == nil {
			os.Chmod(dir, mode)
		}
	}
}

// NotifyRemotes has the daemons of this machine look at a repository now, by names that a
// forge has for it. It returns how many there are, among them those that do not have it.
func NotifyRemotes(ctx context.Context, names []string) (notified int) {
	request := lookRequest{Nonce: rand.Text()}
	for _, name := range names[:min(len(names), maxLookNames)] {
		for _, place := range places(name) {
			request.Repositories = append(request.Repositories, digest(request.Nonce, place))
		}
	}
	slices.Sort(request.Repositories)
	request.Repositories = slices.Compact(request.Repositories)
	var group errgroup.Group
	group.SetLimit(100)
	var mu sync.Mutex
	for _, path := range lookSockets() {
		group.Go(func() error {
			if notifyOne(ctx, path, request) == nil {
				mu.Lock()
				notified++
				mu.Unlock()
			}
			return nil
		})
	}
	group.Wait()
	return notified
}

// lookSockets returns the sockets in all directories, in no order: whoever makes thousands
// must not keep the others from being found.
func lookSockets() []string {
	var all []string
	seen := map[string]bool{} // a daemon has the same name in each directory
	for _, dir := range lookDirs() {
		files, _ := os.ReadDir(dir)
		for _, file := range files {
			if file.Type() == fs.ModeSocket && !seen[file.Name()] {
				seen[file.Name()] = true
				all = append(all, filepath.Join(dir, file.Name()))
			}
		}
	}
	mathrand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(len(all), maxNotified)]
}

// notifyOne sends a request. It removes a socket that a dead daemon has left.
func notifyOne(ctx context.Context, path string, request lookRequest) error {
	ctx, cancel := context.WithTimeout(ctx, notifyTime)
	defer cancel()
	conn, err := socket.Dial(ctx, path)
	if err != nil {
		if errors.Is(err, syscall.ECONNREFUSED) {
			os.Remove(path)
		}
		return err
	}
	defer conn.Close()
	return socket.Write(conn, request)
}

// ServeLooks has vext serve find the daemon, until ctx ends.
func (d *Daemon) ServeLooks(ctx context.Context) {
	l := looks{d: d, pause: lookPause, asked: make(chan string, 1)}
	var group errgroup.Group
	defer group.Wait()
	for _, dir := range lookDirs() {
		group.Go(func() error { return l.register(ctx, dir) })
	}
	l.run(ctx)
}

// looks is what a daemon does with requests.
type looks struct {
	d     *Daemon
	pause time.Duration
	asked chan string // the name of a remote
}

// register listens in a directory, and again whenever the directory was made anew.
func (l *looks) register(ctx context.Context, dir string) error {
	MakeLookDir()
	sum := sha256.Sum256([]byte(l.d.clone.commonDir))
	of := filepath.Join(dir, fmt.Sprintf("%x-", sum[:8]))
	path := of + strconv.Itoa(os.Getpid())
	killed, _ := filepath.Glob(of + "*")
	for _, old := range killed { // their processes were killed, or end just now
		if conn, err := socket.Dial(ctx, old); err == nil {
			conn.Close()
		} else if errors.Is(err, syscall.ECONNREFUSED) {
			os.Remove(old)
		}
	}
	for ctx.Err() == nil {
		if listener, err := socket.Listen(path, 0o666); err == nil {
			l.serve(ctx, listener, path)
		}
		backoff.Sleep(ctx, registerPause)
	}
	return nil
}

// serve serves a socket until ctx ends or the socket is gone.
func (l *looks) serve(ctx context.Context, listener *net.UnixListener, path string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	mine, err := os.Lstat(path)
	var group errgroup.Group
	defer group.Wait()
	group.Go(func() error {
		defer cancel()
		for err == nil && backoff.Sleep(ctx, registerPause) == nil {
			var now fs.FileInfo
			if now, err = os.Lstat(path); err == nil && !os.SameFile(mine, now) {
				err = fs.ErrNotExist
			}
		}
		return nil
	})
	slots := make(chan struct{}, 16)
	socket.Serve(ctx, listener, func(ctx context.Context, conn *net.UnixConn) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			return // strangers hold all; a poll finds what is new
		}
		var request lookRequest
		if socket.Read(conn, maxLookRequest, &request) == nil {
			l.take(ctx, request)
		}
	})
	cancel()
	os.Remove(path) // of a long path it would stay
}

// take asks for a look at each remote that a request names.
func (l *looks) take(ctx context.Context, request lookRequest) {
	for _, s := range l.d.all() {
		r := s.remote.Load()
		names := append(places(r.URL), places(r.written)...) // also as before url.*.insteadOf
		if slices.ContainsFunc(names, func(name string) bool {
			return name != "" && slices.Contains(request.Repositories, digest(request.Nonce, name))
		}) {
			select {
			case l.asked <- r.Name:
			case <-ctx.Done():
			}
		}
	}
}

// run looks at the remotes of requests, at each at most once in a pause.
func (l *looks) run(ctx context.Context) {
	itself := func(name string) string { return name }
	throttle.Run(ctx, l.asked, l.pause, itself, func(name, _ string) string { return name }, l.look)
}

func (l *looks) look(name string) {
	l.d.opts.Log.Debug("a push was reported", "remote", name)
	l.d.Look(func(r *Remote) bool { return r.Name == name })
}
