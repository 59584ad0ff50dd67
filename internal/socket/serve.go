package socket

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// stepTime is how long a client may take to send its request, and to take the answer.
const stepTime = 5 * time.Second

var past = time.Unix(1, 0)

// Serve calls handle for each connection to l, in a goroutine of its own, until ctx ends,
// and returns when all calls have returned. It closes the connections and l. A request
// that has not come after a few seconds, or when ctx ends, can't be read any more.
func Serve(ctx context.Context, l *net.UnixListener, handle func(ctx context.Context, conn *net.UnixConn)) error {
	ctx, cancel := context.WithCancel(ctx)
	var conns sync.WaitGroup
	defer conns.Wait()
	defer cancel()
	closed := context.AfterFunc(ctx, func() { l.Close() })
	defer closed()
	for {
		conn, err := l.AcceptUnix()
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return nil
		}
		if err != nil {
			return err
		}
		conns.Go(func() {
			defer conn.Close()
			ended := context.AfterFunc(ctx, func() { conn.SetReadDeadline(past) })
			defer ended()
			late := time.AfterFunc(stepTime, func() { conn.SetReadDeadline(past) })
			defer late.Stop()
			handle(ctx, conn)
		})
	}
}

// ErrTooLong says that a request or an answer has more bytes than are allowed.
var ErrTooLong = errors.New("too long")

// Read reads one line of at most limit bytes, which is JSON, into v.
func Read(from io.Reader, limit int64, v any) error {
	bounded := &io.LimitedReader{R: from, N: limit}
	line, err := bufio.NewReader(bounded).ReadBytes('\n')
	switch {
	case errors.Is(err, io.EOF) && bounded.N == 0:
		return ErrTooLong
	case errors.Is(err, io.EOF) && len(line) > 0:
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	}
	return json.Unmarshal(line, v)
}

// Write writes v as one line of JSON. It gives up when the other end does not read.
func Write(to net.Conn, v any) error {
	late := time.AfterFunc(stepTime, func() { to.SetWriteDeadline(past) })
	defer late.Stop()
	return json.NewEncoder(to).Encode(v)
}

// Dial connects to the socket at path. The error is fs.ErrNotExist or
// syscall.ECONNREFUSED when nobody listens there.
func Dial(ctx context.Context, path string) (net.Conn, error) {
	short, done, err := shorten(path)
	if err != nil {
		return nil, err
	}
	defer done()
	return new(net.Dialer).DialContext(ctx, "unix", short)
}

// Call connects to the socket at path as Dial does, writes a request and reads the answer,
// each one line of JSON, the answer of at most limit bytes.
func Call(ctx context.Context, path string, limit int64, request, answer any) error {
	conn, err := Dial(ctx, path)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(past) })
	defer stop()
	// A busy server answers without reading the request. Its answer counts, and not
	// the write error.
	writeErr := Write(conn, request)
	if err := Read(conn, limit, answer); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("no answer: %w", errors.Join(writeErr, err))
	}
	return nil
}
