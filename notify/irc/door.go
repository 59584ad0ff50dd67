package irc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/rpc"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"vext/notify"
)

// The process that has the outbox lets the others in by a door: a Unix socket
// beside the outbox, on which package net/rpc speaks.
const (
	doorName    = "door"
	doorService = "IRC"
)

// A door is what others may do, in the form that net/rpc wants.
type door struct {
	ctx    context.Context
	client *Client
}

func (d *door) Put(all []notify.Message, _ *bool) error { return d.client.Put(d.ctx, all...) }

func (d *door) Outcomes(keys []string, reply *map[string]notify.Outcome) (err error) {
	*reply, err = d.client.Outcomes(d.ctx, keys...)
	return err
}

func (d *door) Waiting(_ bool, reply *[]string) (err error) {
	*reply, err = d.client.Pending(d.ctx)
	return err
}

func (d *door) Withdraw(keys []string, reply *[]string) (err error) {
	*reply, err = d.client.Withdraw(d.ctx, keys...)
	return err
}

func (d *door) Forget(keys []string, _ *bool) error { return d.client.Forget(d.ctx, keys...) }

func (d *door) Status(_ bool, reply *[]NetworkStatus) (err error) {
	*reply, err = d.client.Status(d.ctx)
	return err
}

func (d *door) Drop(to string, reply *int) (err error) {
	*reply, err = d.client.Drop(d.ctx, to)
	return err
}

// ServeDoor lets other processes use the client, which has the outbox of the
// state directory, until ctx ends.
func (c *Client) ServeDoor(ctx context.Context, state string) error {
	path, done, err := doorPath(state)
	if err != nil {
		return err
	}
	defer done()
	// Who has the outbox has the door: what is there was left by a crash.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return err
	}
	calls, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(finishTime, cancel) })
	defer stop()
	server := rpc.NewServer()
	if err := server.RegisterName(doorService, &door{calls, c}); err != nil {
		l.Close()
		return err
	}
	return serveConns(ctx, calls, l, server)
}

// finishTime is how long calls have to finish that were made before the end.
const finishTime = 2 * time.Second

// serveConns serves who comes until ctx ends, and returns when the calls that
// were made by then are answered, or theirs has ended.
func serveConns(ctx, calls context.Context, l *net.UnixListener, server *rpc.Server) error {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	closed := context.AfterFunc(ctx, func() { l.Close() })
	defer closed()
	for {
		conn, err := l.AcceptUnix()
		if ctx.Err() != nil {
			if err == nil { // who came too late is to know at once
				conn.Close()
			}
			return nil
		}
		if err != nil {
			return err
		}
		all.Go(func() {
			// ServeConn answers what was asked when it can read no more.
			last := context.AfterFunc(ctx, func() { conn.CloseRead() })
			defer last()
			late := context.AfterFunc(calls, func() { conn.Close() })
			defer late()
			server.ServeConn(conn)
		})
	}
}

// longestSocket is how long the path of a socket may be on every system
// (sockaddr_un).
const longestSocket = 100

// doorPath returns the path of the door. One that is too long goes by way of
// its open directory, where the system has /proc; done lets that go.
func doorPath(state string) (path string, done func(), err error) {
	path = filepath.Join(state, dirName, doorName)
	if len(path) <= longestSocket {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), doorName), func() { dir.Close() }, nil
}

// A Remote is a Client in another process. It is a notify.Outbox.
type Remote struct {
	conn  net.Conn
	rpc   *rpc.Client
	limit time.Duration // of a call
}

// callTime bounds a call: who has the outbox may be stopped, or hang.
const callTime = 10 * time.Second

// ErrNobody says that no process has the outbox. ErrGone says that the one that
// had it went away during a call, which may have been done; ErrSilent, that it
// does not answer.
var (
	ErrNobody = errors.New("no vext keeps connections to IRC")
	ErrGone   = errors.New("it has ended")
	ErrSilent = errors.New("it does not answer")
)

// Knock returns the client of the process that has the outbox of a state
// directory. The error is ErrNobody when there is none.
func Knock(state string) (*Remote, error) {
	path, done, err := doorPath(state)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNobody
	}
	if err != nil {
		return nil, err
	}
	defer done()
	conn, err := net.DialTimeout("unix", path, callTime)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNobody
	}
	if err != nil {
		return nil, err
	}
	return &Remote{conn, rpc.NewClient(conn), callTime}, nil
}

// Close ends the connection.
func (r *Remote) Close() error { return r.rpc.Close() }

func (r *Remote) call(ctx context.Context, method string, args, reply any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.limit, ErrSilent)
	defer cancel()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	// Go writes, and that may have to wait, too.
	until, _ := ctx.Deadline()
	if err := r.conn.SetWriteDeadline(until); err != nil {
		return remoteError(err)
	}
	call := r.rpc.Go(doorService+"."+method, args, reply, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		return remoteError(call.Error)
	case <-ctx.Done():
		return remoteError(context.Cause(ctx))
	}
}

// remoteError returns the error of a call as others know it.
func remoteError(err error) error {
	if err == nil {
		return nil
	}
	for _, gone := range []error{rpc.ErrShutdown, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, gone) {
			err = ErrGone
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = ErrSilent
	}
	return fmt.Errorf("the vext that keeps the connections to IRC: %w", err)
}

// Put implements notify.Outbox.
func (r *Remote) Put(ctx context.Context, all ...notify.Message) error {
	return r.call(ctx, "Put", all, new(bool))
}

// Outcomes implements notify.Outbox.
func (r *Remote) Outcomes(ctx context.Context, keys ...string) (map[string]notify.Outcome, error) {
	var reply map[string]notify.Outcome
	err := r.call(ctx, "Outcomes", keys, &reply)
	return reply, err
}

// Pending implements notify.Outbox.
func (r *Remote) Pending(ctx context.Context) ([]string, error) {
	var reply []string
	err := r.call(ctx, "Waiting", true, &reply)
	return reply, err
}

// Withdraw implements notify.Outbox.
func (r *Remote) Withdraw(ctx context.Context, keys ...string) ([]string, error) {
	var reply []string
	err := r.call(ctx, "Withdraw", keys, &reply)
	return reply, err
}

// Forget implements notify.Outbox.
func (r *Remote) Forget(ctx context.Context, keys ...string) error {
	return r.call(ctx, "Forget", keys, new(bool))
}

// Status returns how things stand, by network.
func (r *Remote) Status(ctx context.Context) ([]NetworkStatus, error) {
	var reply []NetworkStatus
	err := r.call(ctx, "Status", true, &reply)
	return reply, err
}

// Drop takes back what waits for a target, but for reminders, and returns how
// many lines that were.
func (r *Remote) Drop(ctx context.Context, to string) (int, error) {
	var reply int
	err := r.call(ctx, "Drop", to, &reply)
	return reply, err
}

var _, _ notify.Outbox = (*Client)(nil), (*Remote)(nil)
