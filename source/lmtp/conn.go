package lmtp

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"vext/internal/conns"
)

// A conn is between a client and go-smtp's server, which is made for the Internet and too
// strict for mails that must not bounce:
//
//   - go-smtp replies 5yz to what it does not understand. A conn changes that to 4yz.
//   - go-smtp rejects valid addresses and parameters. A conn removes them, see plain.
//   - After a read error within a mail, go-smtp reads the rest of the mail as commands. A
//     conn returns an error from then on.
//   - go-smtp does not accept CR CR LF as a line end, and would wait forever for the end of
//     a mail whose last line ends so. A conn changes it to CR LF.
//   - go-smtp either allows commands of any length, or no long lines in mails. A conn
//     limits commands only.
//   - go-smtp takes a mail sent with BDAT (RFC 3030) as complete when the client disconnects
//     in its last chunk. A conn removes BDAT from the offered extensions.
//   - go-smtp writes each reply by itself. A conn writes the replies to pipelined commands
//     together (RFC 2920, section 3.2).
//
// Otherwise it passes commands and mails unchanged.
type conn struct {
	net.Conn
	in   *bufio.Reader // reads from the client, see fill
	next []byte        // a line that go-smtp has not read yet
	out  []byte        // replies that are not sent yet
	err  error         // of reading; ends the connection

	mail  bool // the client sends a mail, not commands
	begun bool // the next bytes of the mail begin a line

	mu     sync.Mutex
	idle   bool // waiting for a command
	ending time.Time

	closed atomic.Bool
	close  func() error
}

const (
	// maxCommand bounds a command, in bytes. RFC 5321, section 4.5.3.1.4, requires 512,
	// and its extensions up to 1,000 more.
	maxCommand = 2000
	// maxEcho bounds what a reply repeats of a command, in bytes: to Exim's lmtp
	// transport a reply of more than 256 bytes is an error.
	maxEcho = 100
	// maxPiece bounds how much of a mail's line is passed on at once, in bytes.
	maxPiece = 8 << 10
)

// newConn returns a connection that ends soon after ctx.
func newConn(ctx context.Context, c net.Conn) *conn {
	n := &conn{Conn: c}
	n.in = bufio.NewReaderSize(reader(n.fill), maxPiece)
	stop := context.AfterFunc(ctx, n.end)
	n.close = sync.OnceValue(func() error {
		n.closed.Store(true)
		stop()
		return c.Close()
	})
	return n
}

// Close implements net.Conn; go-smtp calls it more than once.
func (c *conn) Close() error { return c.close() }

// A reader is an io.Reader made of a function.
type reader func([]byte) (int, error)

func (r reader) Read(p []byte) (int, error) { return r(p) }

// end ends the connection: at once unless the client is sending a mail.
func (c *conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ending = time.Now()
	c.SetReadDeadline(c.deadline())
}

// await sets the deadline for the next bytes from the client.
func (c *conn) await() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = !c.mail
	return c.SetReadDeadline(c.deadline())
}

func (c *conn) deadline() time.Time {
	switch {
	case c.ending.IsZero():
		return time.Now().Add(patience)
	case c.idle:
		return c.ending
	}
	return c.ending.Add(grace)
}

// fill reads from the client. It sends all replies first, as the client may wait for them.
func (c *conn) fill(p []byte) (int, error) {
	if err := c.flush(); err != nil {
		return 0, err
	}
	if err := c.await(); err != nil {
		return 0, err
	}
	if limited, ok := c.Conn.(*conns.Conn); ok { // may be disconnected to make room
		limited.SetBusy(false)
		defer limited.SetBusy(true)
	}
	return c.Conn.Read(p)
}

func (c *conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	_, err := c.Conn.Write(c.out)
	c.out = c.out[:0]
	return err
}

// Read implements io.Reader. It returns one line at a time, because the reply to a line
// decides whether the next one is a command.
func (c *conn) Read(p []byte) (int, error) {
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	for len(c.next) == 0 && c.err == nil {
		if c.mail {
			c.next, c.err = c.mailLine()
		} else {
			c.next, c.err = c.command()
		}
	}
	if len(c.next) == 0 {
		return 0, c.err
	}
	n := copy(p, c.next)
	c.next = c.next[n:]
	return n, nil
}

var (
	errLong = errors.New("the client sent a command that is too long")
	errBDAT = errors.New("the client sent BDAT, which was not offered")
)

// command returns the next command.
func (c *conn) command() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	switch {
	case len(line) > maxCommand:
		return nil, errLong
	case err != nil:
		return nil, err // half a command does not count
	case isVerb(line, "BDAT"):
		return nil, errBDAT
	case isVerb(line, "MAIL"), isVerb(line, "RCPT"):
		return plain(line), nil
	case isVerb(line, "LHLO") && len(line) > maxEcho:
		return []byte("LHLO long-name\n"), nil
	}
	return append(bytes.TrimRight(line, " \t\r\n"), '\n'), nil // RFC 5321, 4.1.1 allows blanks there
}

func isVerb(line []byte, verb string) bool {
	return len(line) > len(verb) && bytes.EqualFold(line[:len(verb)], []byte(verb))
}

// plain returns the command MAIL or RCPT without what go-smtp could reject and vext does
// not need: the parameters, such as ORCPT (RFC 3461), whose address types go-smtp does not
// know, and a path that is long, contains unusual characters or has no domain. A path may
// be Postmaster (RFC 5321, section 4.1.1.3) or, from OpenSMTPD, the name of a local user.
func plain(line []byte) []byte {
	open := bytes.IndexByte(line, '<')
	if open < 0 {
		return line
	}
	path, _, closed := bytes.Cut(line[open+1:], []byte(">"))
	if !closed {
		return line
	}
	at := bytes.LastIndexByte(path, '@')
	if len(path) > 0 && (len(path) > maxEcho || at < 1 || at == len(path)-1 || bytes.ContainsAny(path, "\"\\(),:;<>[] \t\r")) {
		path = []byte("unusual-address@localhost")
	}
	return append(append(append([]byte(nil), line[:open+1]...), path...), ">\n"...)
}

// mailLine returns the next line of a mail, or a piece of a long one.
func (c *conn) mailLine() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		c.begun = false
		if cut := bytes.TrimRight(line, "\r"); len(cut) < len(line) {
			line = cut
			c.in.UnreadByte() // may be part of the line end
		}
		return line, nil
	case err != nil:
		return nil, err
	}
	begins := c.begun
	c.begun = bytes.HasSuffix(line, []byte("\r\n"))
	switch {
	case begins && string(line) == ".\r\n": // RFC 5321, 4.1.1.4
		c.mail = false
	case bytes.HasSuffix(line, []byte("\r\r\n")):
		line = append(bytes.TrimRight(line, "\r\n"), "\r\n"...)
		if begins && string(line) == ".\r\n" { // is not the end of the mail
			line = append(line[:1], ".\r\n"...)
		}
	}
	return line, nil
}

// Write implements io.Writer. go-smtp calls it for every line of a reply.
func (c *conn) Write(p []byte) (int, error) {
	reply := len(c.out)
	switch {
	case bytes.HasPrefix(p, []byte("250-CHUNKING")):
		return len(p), nil
	case bytes.HasPrefix(p, []byte("354")):
		c.mail, c.begun = true, true
	}
	c.out = append(c.out, p...)
	temporary(c.out[reply:])
	if bytes.HasPrefix(p, []byte("250")) && c.in.Buffered() > 0 {
		return len(p), nil // pipelined commands follow; fill writes it
	}
	return len(p), c.flush()
}

// temporary turns the permanent error of a reply into a temporary one: "501 5.5.2 what"
// becomes "451 4.5.2 what".
func temporary(reply []byte) {
	if len(reply) < 5 || reply[0] != '5' {
		return
	}
	copy(reply, "451")
	if reply[4] == '5' {
		reply[4] = '4'
	}
}
