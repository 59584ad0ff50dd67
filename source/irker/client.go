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
)

const (
	// bufferSize is what is read of a client at once; the lines in it are kept
	// together.
	bufferSize = 16 << 10
	// linger is how long a connection that ends waits for what has arrived, and
	// mostLeft how many bytes it takes then, of a client that does not cease.
	linger   = 20 * time.Millisecond
	mostLeft = 1 << 20
	// longestLinger is how long it waits in all, of a client that drips.
	longestLinger = 2 * time.Second
	// answerPatience is how long a client may take to take its answers.
	answerPatience = 10 * time.Second
)

// accept serves the clients of l until ctx ends.
func (v *serving) accept(ctx context.Context, l net.Listener, all *sync.WaitGroup) error {
	for {
		conn, err := l.Accept()
		switch {
		case err != nil && ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // there may be no file descriptor left just now
			v.trouble.warn("irker: can't accept clients, trying again", "err", err)
			wait(ctx, firstPause)
			continue
		case v.refuses(conn.RemoteAddr()):
			v.bad.warn("irker: a client that may not come from there", "client", conn.RemoteAddr())
			conn.Close()
			continue
		}
		if v.clients.full() {
			v.bad.warn("irker: all places are taken, a client must wait for one", "client", conn.RemoteAddr())
		}
		c := &client{conn: conn, left: mostLeft}
		if !v.clients.enter(c) {
			conn.Close()
			return nil
		}
		all.Go(func() {
			defer v.clients.leave(c)
			defer conn.Close()
			v.serve(ctx, c)
		})
	}
}

// serve keeps what a client says until it has said all.
func (v *serving) serve(ctx context.Context, c *client) {
	in := lines{bufio.NewReaderSize(c, bufferSize)}
	for {
		notices, err := v.together(in, c)
		v.clients.setIdle(c, false)
		v.deliver(ctx, notices, func() { v.answer(c, notices) })
		if err != nil {
			return
		}
		v.clients.setIdle(c, true)
	}
}

// errHTTP is the end of a client that is no client of irker's: any web page can
// have a browser send requests to this machine, with whatever lines in them.
var errHTTP = errors.New("a request by HTTP")

// together waits for a line, and returns its notice with those of the lines
// that have arrived behind it. The error is why there will be no more.
func (v *serving) together(in lines, c *client) ([]notice, error) {
	var notices []notice
	for read := 0; read < mostTogether; read++ {
		if read > 0 && !in.more() {
			break
		}
		line, err := in.next()
		switch from := c.conn.RemoteAddr(); {
		case errors.Is(err, errLong):
			v.bad.warn("irker: a line that is too long", "client", from, "most", longestLine)
		case err != nil:
			return notices, err
		case isHTTP(line):
			v.bad.warn("irker: a client that speaks HTTP", "client", from)
			return notices, errHTTP
		case len(bytes.TrimSpace(line)) > 0:
			notices = append(notices, v.take(line, from))
		}
	}
	return notices, nil
}

// isHTTP reports whether a line can be the first of a request (RFC 9112,
// section 3), and not JSON.
func isHTTP(line []byte) bool {
	return len(line) > 0 && line[0] >= 'A' && line[0] <= 'Z' && bytes.Contains(line, []byte(" HTTP/"))
}

// answer writes the answers to notices. A client that does not take them gets
// no more: what has arrived of it is kept, and its connection ends.
func (v *serving) answer(c *client, notices []notice) {
	var answers []byte
	for i := range notices {
		answers = append(answers, notices[i].answer()...)
	}
	if len(answers) == 0 || c.mute {
		return
	}
	patience := answerPatience
	if c.lingers {
		patience = max(linger, time.Until(c.until))
	}
	c.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := c.conn.Write(answers); err != nil {
		c.mute = true
		v.clients.dismiss(c)
	}
}

// Read implements io.Reader. When the client ends it goes on with what has
// arrived already.
func (c *client) Read(p []byte) (int, error) {
	if !c.lingers {
		n, err := c.conn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		c.lingers, c.until = true, time.Now().Add(longestLinger)
	}
	left := time.Until(c.until)
	if c.left <= 0 || left <= 0 {
		return 0, os.ErrDeadlineExceeded
	}
	c.conn.SetReadDeadline(time.Now().Add(min(linger, left)))
	n, err := c.conn.Read(p)
	c.left -= n
	return n, err
}

// lines reads a client's lines.
type lines struct{ in *bufio.Reader }

// errLong is a line longer than longestLine.
var errLong = errors.New("a line is too long")

// next returns the next line with its end, if it has one; it is valid until the
// call that needs more than what more reports. One that is too long is skipped.
func (l lines) next() ([]byte, error) {
	line, err := l.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line = bytes.Clone(line)
		length := len(line)
		for errors.Is(err, bufio.ErrBufferFull) {
			var piece []byte
			piece, err = l.in.ReadSlice('\n')
			if length += len(piece); length <= longestLine {
				line = append(line, piece...)
			}
		}
		if length > longestLine && (err == nil || errors.Is(err, io.EOF)) {
			return nil, errLong
		}
	}
	if errors.Is(err, io.EOF) && len(line) > 0 {
		return line, nil // the last one, without its newline
	}
	return line, err
}

// more reports whether a whole line has arrived.
func (l lines) more() bool {
	arrived, _ := l.in.Peek(l.in.Buffered())
	return bytes.IndexByte(arrived, '\n') >= 0
}
