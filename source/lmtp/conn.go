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

// A conn stands between a client and go-smtp's server, which is made for the
// open net and is too strict for mails that must not bounce:
//
//   - It answers 5yz to what it does not understand. That becomes 4yz.
//   - It refuses addresses and parameters that may be sent, see plain.
//   - After a mail that broke off or stood still, it goes on with its rest as
//     with commands. Here an error of reading is the connection's end.
//   - It takes CR CR LF for no line's end, and would wait for ever for that of
//     a mail whose last line ends so. That becomes CR LF.
//   - It allows commands of any length, or none of a mail's lines to be long.
//   - It takes a mail sent with BDAT (RFC 3030) for whole when the client
//     breaks off in its last chunk. BDAT is not offered.
//   - It writes each reply by itself. Here those to commands that came together
//     leave together (RFC 2920, 3.2).
//
// Nothing is hidden from go-smtp but what is said here; the bytes of a mail
// pass as they are.
type conn struct {
	net.Conn
	in   *bufio.Reader // what the client sends, see fill
	next []byte        // a line of it that go-smtp has not read yet
	out  []byte        // replies that the client has not got yet
	err  error         // of reading, for good

	mail  bool // a mail is being sent, not commands
	begun bool // what comes next of it begins a line

	mu     sync.Mutex
	idle   bool // waiting for a command
	ending time.Time

	closed atomic.Bool
	close  func() error
}

const (
	// maxCommand bounds a command, of which RFC 5321, 4.5.3.1.4 wants 512
	// bytes at least, and its extensions up to 1,000 more.
	maxCommand = 2000
	// maxEcho bounds what a reply repeats of a command: Exim's lmtp transport
	// has room for 256 bytes, and takes a longer reply for an error.
	maxEcho = 100
	// maxPiece bounds what passes at once of a mail's line.
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

// A reader is a function that is an io.Reader.
type reader func([]byte) (int, error)

func (r reader) Read(p []byte) (int, error) { return r(p) }

// end makes the connection end: at once when no mail is being sent.
func (c *conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ending = time.Now()
	c.SetReadDeadline(c.deadline())
}

// await sets the deadline for what the client sends next.
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

// fill reads from the client, which gets all replies first: it may be waiting
// for them.
func (c *conn) fill(p []byte) (int, error) {
	if err := c.flush(); err != nil {
		return 0, err
	}
	if err := c.await(); err != nil {
		return 0, err
	}
	if limited, ok := c.Conn.(*conns.Conn); ok { // one that is read from may make room
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

// Read implements io.Reader. It passes one line at a time, so that it knows
// which are commands, and none that came behind QUIT.
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
		return nil, err // half a command is none
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

// plain returns the command MAIL or RCPT without what go-smtp could refuse
// about it, and which makes no difference here: its parameters, as with DSN
// (RFC 3461), whose ORCPT may have types that go-smtp does not know, and a path
// that is long, of other than usual characters or without a domain, which is
// how OpenSMTPD writes a local user, and anybody may write Postmaster (RFC 5321,
// 4.1.1.3).
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
			c.in.UnreadByte() // may belong to the line's end
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
		if begins && string(line) == ".\r\n" { // must not become the end
			line = append(line[:1], ".\r\n"...)
		}
	}
	return line, nil
}

// Write implements io.Writer. go-smtp calls it once for every line of a reply.
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
		return len(p), nil // more commands are there, and fill will write it
	}
	return len(p), c.flush()
}

// temporary makes a permanent error of a reply one that asks to try again:
// "501 5.5.2 what" becomes "451 4.5.2 what".
func temporary(reply []byte) {
	if len(reply) < 5 || reply[0] != '5' {
		return
	}
	copy(reply, "451")
	if reply[4] == '5' {
		reply[4] = '4'
	}
}
