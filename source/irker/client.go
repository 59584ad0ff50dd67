package irker

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"vext/internal/backoff"
	"vext/internal/conns"
)

const (
	// bufferSize is the size of the read buffer of a client. The lines in it are stored
	// together.
	bufferSize = 16 << 10
	// A connection that ends is read until the client has been silent for drainTime,
	// has sent maxLeft more bytes, or maxDrainTime has passed.
	drainTime    = 20 * time.Millisecond
	maxLeft      = 1 << 20
	maxDrainTime = 2 * time.Second
	// writeTimeout is how long a client may take to read its answers.
	writeTimeout = 10 * time.Second
)

// A client is a connection, which a goroutine of its own serves.
type client struct {
	conn *conns.Conn
	end  func() // ends the connection after the data that has arrived was read, see Read

	draining bool      // it is ending, and reads the data that has arrived
	until    time.Time // when draining ends
	left     int       // bytes that may be read while draining
	mute     bool      // writing an answer has failed
}

// allowed is a listener that rejects clients from other addresses than the allowed ones.
type allowed struct {
	net.Listener
	v *serving
}

// Accept implements net.Listener.
func (a allowed) Accept() (net.Conn, error) {
	for {
		conn, err := a.Listener.Accept()
		if err != nil || !a.v.rejects(conn.RemoteAddr()) {
			return conn, err
		}
		a.v.warn(&a.v.bad, "irker: client not allowed from its address", "client", conn.RemoteAddr())
		conn.Close()
	}
}

// accept serves the clients of l, which is a conns.Limit's, until ctx ends.
func (v *serving) accept(ctx context.Context, l net.Listener, all *sync.WaitGroup) error {
	for {
		conn, err := l.Accept()
		switch {
		case err != nil && ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			v.warn(&v.system, "irker: cannot accept clients; retrying", "err", err)
			backoff.Sleep(ctx, retries.Min)
			continue
		}
		c := &client{conn: conn.(*conns.Conn), left: maxLeft}
		c.end = sync.OnceFunc(func() { conn.SetReadDeadline(past) })
		c.conn.SetEnd(c.end)
		all.Go(func() {
			defer conn.Close()
			defer context.AfterFunc(ctx, c.end)()
			v.serve(ctx, c)
		})
	}
}

// serve stores the requests of a client until its connection ends.
func (v *serving) serve(ctx context.Context, c *client) {
	in := bufio.NewReaderSize(c, bufferSize)
	for {
		requests, err := v.readBatch(in, c)
		c.conn.SetBusy(true)
		v.deliver(ctx, requests, func() { v.answer(c, requests) })
		if err != nil {
			return
		}
		c.conn.SetBusy(false)
	}
}

// errHTTP ends the connection of a client that uses HTTP: a web page can make a browser
// send requests with any lines to this machine.
var errHTTP = errors.New("an HTTP request")

// readBatch waits for a line, and returns its request and those of the lines that have
// arrived after it. An error means that there will be no more.
func (v *serving) readBatch(in *bufio.Reader, c *client) ([]request, error) {
	var requests []request
	for read := 0; read < maxBatch; read++ {
		if read > 0 && !hasLine(in) {
			break
		}
		line, err := nextLine(in)
		switch from := c.conn.RemoteAddr(); {
		case errors.Is(err, errLong):
			v.warn(&v.bad, "irker: line too long", "client", from, "max", maxLine)
		case err != nil:
			return requests, err
		case isHTTP(line):
			v.warn(&v.bad, "irker: client uses HTTP", "client", from)
			return requests, errHTTP
		case len(bytes.TrimSpace(line)) > 0:
			requests = append(requests, v.take(line, from))
		}
	}
	return requests, nil
}

// isHTTP reports whether a line can be the request line of HTTP (RFC 9112, section 3),
// which is not JSON.
func isHTTP(line []byte) bool {
	return len(line) > 0 && line[0] >= 'A' && line[0] <= 'Z' && bytes.Contains(line, []byte(" HTTP/"))
}

// answer writes the answers to requests. If that fails, the client gets no further
// answers, its requests that have arrived are stored, and its connection ends.
func (v *serving) answer(c *client, requests []request) {
	var answers []byte
	for i := range requests {
		answers = append(answers, requests[i].answer()...)
	}
	if len(answers) == 0 || c.mute {
		return
	}
	timeout := writeTimeout
	if c.draining {
		timeout = max(drainTime, time.Until(c.until))
	}
	c.conn.SetWriteDeadline(time.Now().Add(timeout))
	if _, err := c.conn.Write(answers); err != nil {
		c.mute = true
		c.end()
	}
}

// Read implements io.Reader. After the connection's deadline was cut, it returns the data
// that has arrived already. Half a line does not count as activity for conns.Limit.
func (c *client) Read(p []byte) (int, error) {
	if !c.draining {
		n, err := c.conn.Conn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		c.draining, c.until = true, time.Now().Add(maxDrainTime)
	}
	left := time.Until(c.until)
	if c.left <= 0 || left <= 0 {
		return 0, os.ErrDeadlineExceeded
	}
	c.conn.SetReadDeadline(time.Now().Add(min(drainTime, left)))
	n, err := c.conn.Conn.Read(p)
	c.left -= n
	return n, err
}

// errLong is a line longer than maxLine.
var errLong = errors.New("a line is too long")

// nextLine returns the next line with its newline, which the last line may lack. It is
// valid until a call of nextLine after hasLine has reported false. If the line is too long,
// it is skipped, and the error is errLong.
func nextLine(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line = bytes.Clone(line)
		length := len(line)
		for errors.Is(err, bufio.ErrBufferFull) {
			var piece []byte
			piece, err = in.ReadSlice('\n')
			if length += len(piece); length <= maxLine {
				line = append(line, piece...)
			}
		}
		if length > maxLine && (err == nil || errors.Is(err, io.EOF)) {
			return nil, errLong
		}
	}
	if errors.Is(err, io.EOF) && len(line) > 0 {
		return line, nil // the last line, without a newline
	}
	return line, err
}

// hasLine reports whether another whole line has arrived.
func hasLine(in *bufio.Reader) bool {
	arrived, _ := in.Peek(in.Buffered())
	return bytes.IndexByte(arrived, '\n') >= 0
}
