package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"vext/internal/backoff"
	"vext/internal/pidfile"
	"vext/internal/socket"
)

// A Control is how other processes of the user reach a Daemon: a named pipe takes lines of
// the control protocol, and a socket gives the events to any number of readers and answers
// requests. It has the lock with which one daemon watches a clone.
type Control struct {
	d        *Daemon
	dir      string // of the pipe
	started  time.Time
	lock     *pidfile.File
	pipe     *os.File
	listener *net.UnixListener
	readers  readers
	warn     func(error)
	stop     context.CancelFunc
	serving  sync.WaitGroup
}

// OpenControl takes the lock of the daemon's clone, and makes the pipe and the socket. The
// error is a *HeldError if another process watches that clone. warn gets what goes wrong
// later. flagFirst is as in Event.Line.
func OpenControl(ctx context.Context, d *Daemon, flagFirst bool, warn func(error)) (*Control, error) {
	l, err := takeLock(ctx, d.CommonDir())
	if err != nil {
		return nil, err
	}
	c := &Control{d: d, dir: runDir(d.CommonDir()), started: d.opts.Now(), lock: l, readers: readers{flagFirst: flagFirst}, warn: warn}
	if c.pipe, err = openPipe(filepath.Join(c.dir, controlName)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if err = c.listen(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	d.emitTo(&c.readers)
	ctx, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	c.serving.Go(func() { c.readPipe() })
	c.serving.Go(func() { c.serve(ctx) })
	c.serving.Go(func() { c.watchLock(ctx) })
	return c, nil
}

// LogPath returns where a daemon in the background writes its log.
func (c *Control) LogPath() string { return filepath.Join(c.dir, logName) }

// Close removes the pipe and the socket, and releases the lock. The readers get the events
// that were emitted before. The daemon must have ended.
func (c *Control) Close() error {
	isOurs := c.lock.Counts() // else another daemon may have its files there
	if c.listener != nil && !isOurs {
		c.listener.SetUnlinkOnClose(false)
	}
	if c.stop != nil {
		c.stop()
	}
	if c.pipe != nil {
		c.pipe.Close()
	}
	c.serving.Wait()
	if isOurs {
		os.Remove(filepath.Join(c.dir, controlName))
		removeAway(c.dir)
	}
	return c.lock.Release()
}

// lockCheck is the time between two looks whether the lock counts.
const lockCheck = 2 * time.Second

// watchLock stops the daemon when its lock does not count any more.
func (c *Control) watchLock(ctx context.Context) {
	for c.lock.Counts() {
		if backoff.Sleep(ctx, lockCheck) != nil {
			return
		}
	}
	c.d.warn("%s was moved or removed: vext remote ends", c.dir)
	c.d.Command(stopCommand)
}

// openPipe makes the named pipe, or takes the one that a daemon has left: a writer may
// wait at it. It is open for reading and writing, so that it has no end when a writer
// goes. A file that is no pipe is what somebody wrote while no daemon ran.
func openPipe(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	if err == nil && info.Mode().Type() != fs.ModeNamedPipe {
		if err = os.Remove(path); err != nil {
			return nil, err
		}
		err = fs.ErrNotExist
	}
	if errors.Is(err, fs.ErrNotExist) {
		if err = syscall.Mkfifo(path, 0o600); err != nil {
			return nil, &fs.PathError{Op: "mkfifo", Path: path, Err: err}
		}
	}
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
}

// readPipe handles the lines of the pipe until that is closed.
func (c *Control) readPipe() {
	if err := c.d.ReadCommands(&pipeReader{pipe: c.pipe}); err != nil {
		c.warn(fmt.Errorf("%s: %w", c.pipe.Name(), err))
	}
}

// lineTime is how long a writer of the pipe has to write the rest of a line.
const lineTime = 500 * time.Millisecond

// A pipeReader reads lines from a pipe. Whoever leaves without the end of a line has it
// added, or else the next writer's line would be taken for its end.
type pipeReader struct {
	pipe   *os.File
	within bool // a line
}

func (r *pipeReader) Read(p []byte) (int, error) {
	if r.within {
		r.pipe.SetReadDeadline(time.Now().Add(lineTime))
	} else {
		r.pipe.SetReadDeadline(time.Time{})
	}
	n, err := r.pipe.Read(p)
	switch {
	case errors.Is(err, os.ErrClosed):
		return 0, io.EOF
	case r.within && errors.Is(err, os.ErrDeadlineExceeded):
		n, err = copy(p, "\n"), nil
	}
	if n > 0 {
		r.within = p[n-1] != '\n'
	}
	return n, err
}

// serve answers at the socket until ctx ends.
func (c *Control) serve(ctx context.Context) {
	socket.ServeOn(ctx, c.listener, c.handle, func(err error) { c.warn(fmt.Errorf("%s: %w", c.listener.Addr(), err)) })
}

// A request is one line of JSON that a client of the socket writes.
type request struct {
	Do   string `json:"do"`
	Line string `json:"line,omitempty"` // of doCommand
}

// What a client can ask for.
const (
	doWatch   = "watch" // the events, one a line; also when the client asks for nothing
	doStatus  = "status"
	doCommand = "command"
)

// An answer is one line of JSON.
type answer struct {
	Error  string  `json:"error,omitempty"`
	Status *Status `json:"status,omitempty"`
}

// askTime is how long a client has to begin with a request. One that does not is a reader
// of events, which it gets from when it has connected.
const (
	askTime     = 100 * time.Millisecond
	requestTime = 500 * time.Millisecond
)

// handle serves one client.
func (c *Control) handle(ctx context.Context, conn *net.UnixConn) {
	r := c.readers.add()
	defer c.readers.remove(r)
	ask, err := readRequest(conn)
	if err == nil && ask.Do == doWatch {
		r.write(ctx, conn)
		return
	}
	c.readers.remove(r)
	switch {
	case err != nil:
		socket.Write(conn, answer{Error: "request: " + err.Error()})
	case ask.Do == doStatus:
		socket.Write(conn, answer{Status: c.status()})
	case ask.Do == doCommand:
		var a answer
		if _, _, err := parseCommand(ask.Line); err != nil {
			a.Error = err.Error()
		}
		c.d.Command(ask.Line)
		socket.Write(conn, a)
	default:
		socket.Write(conn, answer{Error: fmt.Sprintf("unknown request %q", ask.Do)})
	}
}

// readRequest reads the request of a client, which is doWatch when it writes none.
func readRequest(conn *net.UnixConn) (request, error) {
	conn.SetReadDeadline(time.Now().Add(askTime))
	first := make([]byte, 1)
	if n, _ := conn.Read(first); n == 0 {
		return request{Do: doWatch}, nil
	}
	conn.SetReadDeadline(time.Now().Add(requestTime))
	var r request
	err := socket.Read(io.MultiReader(bytes.NewReader(first), conn), maxLine+1024, &r)
	if errors.As(err, new(*json.SyntaxError)) {
		err = errors.New("it is not one line of JSON; commands are written to the pipe " + controlName)
	}
	return r, err
}
