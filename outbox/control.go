package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"syscall"
	"time"

	"vext/internal/socket"
	"vext/notify"
)

// The process that has the outbox open serves it to others at a Unix socket in the state
// directory. A connection carries one request and one answer.
const (
	socketName = "outbox.socket"
	socketMode = 0o600
	maxRequest = 64 << 20
)

// callTime bounds a call: the process that serves may be stopped, or hang.
const callTime = 10 * time.Second

// finishTime is how long calls may take that were made before the end.
const finishTime = 2 * time.Second

// A request is a call of a method of Outbox. Only the arguments of that method are set.
type request struct {
	Method   string           `json:"method"`
	Messages []notify.Message `json:"messages,omitempty"`
	Keys     []string         `json:"keys,omitempty"`
	Now      time.Time        `json:"now,omitzero"`
	Target   string           `json:"target,omitempty"`
	Reason   string           `json:"reason,omitempty"`
}

// An answer is what the method returned.
type answer struct {
	Result    json.RawMessage `json:"result,omitempty"`
	Error     string          `json:"error,omitempty"`
	Permanent bool            `json:"permanent,omitempty"` // the error is a *notify.PermanentError
}

// Serve lets other processes of the same user use the outbox until ctx ends.
func (o *Outbox) Serve(ctx context.Context) error {
	l, err := socket.Listen(filepath.Join(filepath.Dir(o.db.Path()), socketName), socketMode)
	if err != nil {
		return err
	}
	calls, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(finishTime, cancel) })
	defer stop()
	return socket.Serve(ctx, l, func(_ context.Context, conn *net.UnixConn) {
		if !socket.IsOurs(conn) {
			return
		}
		var r request
		if err := socket.Read(conn, maxRequest, &r); err != nil {
			return
		}
		var a answer
		result, err := o.do(calls, &r)
		if err == nil {
			a.Result, err = json.Marshal(result)
		}
		if err != nil {
			a.Error, a.Permanent = err.Error(), notify.IsPermanent(err)
		}
		socket.Write(conn, &a)
	})
}

func (o *Outbox) do(ctx context.Context, r *request) (any, error) {
	switch r.Method {
	case "put":
		return nil, o.Put(ctx, r.Messages...)
	case "outcomes":
		return o.Outcomes(ctx, r.Keys...)
	case "pending":
		return o.Pending(ctx)
	case "bounces":
		return o.Bounces(ctx, r.Now)
	case "bounce":
		return nil, o.Bounce(ctx, r.Reason, r.Keys...)
	case "forget":
		return nil, o.Forget(ctx, r.Keys...)
	case "drop":
		return o.Drop(ctx, r.Target)
	case "status":
		return o.Status(ctx)
	}
	return nil, fmt.Errorf("no method %q", r.Method)
}

// Status returns the state of the transport's connections, as JSON.
func (o *Outbox) Status(context.Context) (json.RawMessage, error) {
	return json.Marshal(o.transport.Status(o))
}

// A Remote is an Outbox that another process has open.
type Remote struct {
	path string
	time time.Duration // of a call
	err  error         // of every call
}

var _ notify.Outbox = (*Remote)(nil)

// Failing returns an outbox of which every call fails with err.
func Failing(err error) *Remote { return &Remote{err: err} }

// ErrNotServed says that no process serves the outbox. ErrGone says that this process
// ended during a call, which it may have carried out. ErrSilent says that it does not
// answer.
var (
	ErrNotServed = errors.New("no process serves the outbox")
	ErrGone      = errors.New("it has ended")
	ErrSilent    = errors.New("it does not answer")
)

// Dial returns the outbox of a state directory that another process serves. The error is
// ErrNotServed when there is none.
func Dial(state string) (*Remote, error) {
	r := &Remote{path: filepath.Join(state, socketName), time: callTime}
	conn, err := socket.Dial(context.Background(), r.path)
	switch {
	case err == nil:
		return r, conn.Close()
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		err = ErrNotServed
	}
	return nil, err
}

// call calls a method. result may be nil.
func (r *Remote) call(ctx context.Context, request request, result any) error {
	if r.err != nil {
		return r.err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.time, ErrSilent)
	defer cancel()
	var a answer
	err := socket.Call(ctx, r.path, maxRequest, &request, &a)
	switch {
	case ctx.Err() != nil && err != nil:
		err = context.Cause(ctx)
	case err != nil:
		err = fmt.Errorf("%w: %w", ErrGone, err)
	case a.Permanent:
		return &notify.PermanentError{Err: errors.New(a.Error)}
	case a.Error != "":
		err = errors.New(a.Error)
	case result != nil:
		err = json.Unmarshal(a.Result, result)
	}
	if err != nil {
		err = fmt.Errorf("the process that serves the outbox: %w", err)
	}
	return err
}

// ask calls a method that returns a value.
func ask[T any](ctx context.Context, r *Remote, request request) (result T, err error) {
	err = r.call(ctx, request, &result)
	return result, err
}

// Put implements notify.Outbox.
func (r *Remote) Put(ctx context.Context, all ...notify.Message) error {
	return r.call(ctx, request{Method: "put", Messages: all}, nil)
}

// Outcomes implements notify.Outbox.
func (r *Remote) Outcomes(ctx context.Context, keys ...string) (map[string]notify.Outcome, error) {
	return ask[map[string]notify.Outcome](ctx, r, request{Method: "outcomes", Keys: keys})
}

// Pending implements notify.Outbox.
func (r *Remote) Pending(ctx context.Context) ([]string, error) {
	return ask[[]string](ctx, r, request{Method: "pending"})
}

// Bounces implements notify.Outbox.
func (r *Remote) Bounces(ctx context.Context, now time.Time) ([]notify.Bounce, error) {
	return ask[[]notify.Bounce](ctx, r, request{Method: "bounces", Now: now})
}

// Bounce implements notify.Outbox.
func (r *Remote) Bounce(ctx context.Context, reason string, keys ...string) error {
	return r.call(ctx, request{Method: "bounce", Reason: reason, Keys: keys}, nil)
}

// Forget implements notify.Outbox.
func (r *Remote) Forget(ctx context.Context, keys ...string) error {
	return r.call(ctx, request{Method: "forget", Keys: keys}, nil)
}

// Drop is Drop of the Outbox.
func (r *Remote) Drop(ctx context.Context, to string) (int, error) {
	return ask[int](ctx, r, request{Method: "drop", Target: to})
}

// Status is Status of the Outbox.
func (r *Remote) Status(ctx context.Context) (json.RawMessage, error) {
	return ask[json.RawMessage](ctx, r, request{Method: "status"})
}
