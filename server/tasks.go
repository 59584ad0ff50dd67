package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// A task is a part of the service. It ends when its context does, and before that
// only with an error.
type task func(context.Context) error

// runTasks runs tasks until the first fails or ctx ends, and returns its error when
// all have ended.
func runTasks(ctx context.Context, tasks ...task) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, t := range tasks {
		group.Go(func() error { return guarded(ctx, t) })
	}
	return group.Wait()
}

// background runs a task until the returned function is called, which returns the
// error of the task.
func background(ctx context.Context, t task) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- guarded(ctx, t) }()
	return func() error {
		cancel()
		return <-ended
	}
}

// guarded runs a task and turns a panic into an error, so that the other tasks can
// finish their work.
func guarded(ctx context.Context, t task) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return t(ctx)
}

// wallClock is the system's clock. While it sleeps it reads the clock every minute:
// a timer does not count the time that a machine was suspended, nor see a clock that
// was set. A zero value is never woken.
type wallClock struct{ woken chan struct{} }

func newWallClock() wallClock { return wallClock{make(chan struct{}, 1)} }

// wake ends the current sleep early, or else the next one.
func (c wallClock) wake() {
	select {
	case c.woken <- struct{}{}:
	default: // woken already
	}
}

const maxSleep = time.Minute

func (wallClock) Now() time.Time { return time.Now() }

func (c wallClock) Sleep(ctx context.Context, until time.Time) error {
	until = until.Round(0) // by the wall clock, not the monotonic one
	for {
		left := until.Sub(time.Now().Round(0))
		if left <= 0 {
			return nil
		}
		timer := time.NewTimer(min(left, maxSleep))
		select {
		case <-timer.C:
		case <-c.woken:
			timer.Stop()
			return nil
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// States for systemd, sd_notify(3).
const (
	systemdReady    = "READY=1"
	systemdStopping = "STOPPING=1"
)

// notifySystemd sends the state of the service to systemd, if systemd started it.
// The usual library for this does not build on NetBSD.
func notifySystemd(log *slog.Logger, state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	if strings.HasPrefix(path, "@") { // an abstract socket, unix(7)
		path = "\x00" + path[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err == nil {
		_, err = conn.Write([]byte(state))
		conn.Close()
	}
	if err != nil {
		log.Warn("cannot notify systemd", "state", state, "err", err)
	}
}
