package lmtp

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"vext/filter"
	"vext/internal/conns"
)

const (
	// maxCommand bounds a command, in bytes. RFC 5321, section 4.5.3.1.4, requires 512,
	// and its extensions up to 1,000 more.
	maxCommand = 2000
	// maxRecipients bounds the recipients of one mail. RFC 5321, section 4.5.3.1.8,
	// requires 100. A client sends the mail again for the others.
	maxRecipients = 1000
	// maxErrors bounds the commands of a connection that are not understood.
	maxErrors = 3
	// maxEcho bounds what a reply repeats of a command, and maxReply the rest of its
	// text, in bytes: to Exim's lmtp transport a reply of more than 256 bytes is an error.
	maxEcho  = 100
	maxReply = 120
)

// A session is one connection. Its goroutine owns it, except for what mu guards.
type session struct {
	server *Server
	conn   net.Conn
	in     *bufio.Reader // reads by Read
	out    *bufio.Writer // flushed by Read

	started    bool     // MAIL was given
	null       bool     // with the sender <>
	recipients []string // as replies name them
	errors     int      // commands that were not understood

	inMail atomic.Bool // the client is sending a mail, not commands
	mu     sync.Mutex
	ending time.Time // when the server began to end
}

func newSession(server *Server, c net.Conn) *session {
	s := &session{server: server, conn: c, out: bufio.NewWriter(c)}
	s.in = bufio.NewReaderSize(s, maxPiece)
	return s
}

// Read reads from the client, for in. It sends all replies first, those to pipelined commands
// together (RFC 2920, section 3.2).
func (s *session) Read(p []byte) (int, error) {
	if err := s.flush(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	err := s.conn.SetReadDeadline(s.deadline())
	s.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if limited, ok := s.conn.(*conns.Conn); ok { // may be disconnected to make room
		limited.SetBusy(false)
		defer limited.SetBusy(true)
	}
	return s.conn.Read(p)
}

func (s *session) flush() error {
	s.conn.SetWriteDeadline(time.Now().Add(patience))
	return s.out.Flush()
}

// deadline returns when the session ends unless the client sends something.
func (s *session) deadline() time.Time {
	switch {
	case s.ending.IsZero():
		return time.Now().Add(patience)
	case s.inMail.Load():
		return s.ending.Add(grace)
	}
	return s.ending
}

// end ends the session: at once unless the client is sending a mail.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending = time.Now()
	s.conn.SetReadDeadline(s.deadline())
}

var (
	errQuit = errors.New("the client has sent QUIT")
	errLong = errors.New("the client sent a command that is too long")
	errMany = errors.New("the client sent too many commands that are not understood")
	errBDAT = errors.New("the client sent BDAT, which was not offered")
)

// serve serves the client until it quits, or for a while after ctx has ended.
func (s *session) serve(ctx context.Context) {
	defer context.AfterFunc(ctx, s.end)()
	defer s.conn.Close()
	s.reply(220, "", "vext LMTP")
	err := s.commands()
	switch {
	case errors.Is(err, errLong), errors.Is(err, errMany), errors.Is(err, errBDAT):
		s.server.Log.Warn("lmtp: disconnecting", "err", err)
		s.reply(421, "4.5.1", err.Error())
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.reply(421, "4.4.2", "closing the connection")
	}
	s.flush()
}

// commands handles commands until an error.
func (s *session) commands() error {
	for {
		line, err := s.in.ReadSlice('\n')
		if len(line) > maxCommand {
			return errLong
		}
		if err == nil {
			err = s.command(string(bytes.TrimRight(line, " \t\r\n"))) // RFC 5321, section 4.1.1, allows blanks
		}
		if err != nil {
			return err
		}
	}
}

func (s *session) command(line string) error {
	verb, arg, _ := strings.Cut(line, " ")
	switch verb = strings.ToUpper(verb); {
	case verb == "LHLO" && arg != "":
		s.reset()
		for _, extension := range []string{"Hello " + oneLine(arg), "PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8", "SIZE"} {
			fmt.Fprintf(s.out, "250-%s\r\n", extension)
		}
		s.reply(250, "", fmt.Sprintf("LIMITS RCPTMAX=%d", maxRecipients))
	case verb == "MAIL":
		return s.mail(arg)
	case verb == "RCPT":
		return s.rcpt(arg)
	case verb == "DATA" && arg == "" && len(s.recipients) > 0:
		return s.data()
	case verb == "RSET":
		s.reset()
		s.reply(250, "2.0.0", "reset")
	case verb == "NOOP":
		s.reply(250, "2.0.0", "nothing done")
	case verb == "VRFY":
		s.reply(252, "2.5.0", "any recipient is accepted")
	case verb == "QUIT":
		s.reply(221, "2.0.0", "bye")
		return errQuit
	case verb == "BDAT": // data follows, which is no command
		return errBDAT
	default:
		return s.misunderstood()
	}
	return nil
}

// misunderstood replies to a command that is not understood, or out of order.
func (s *session) misunderstood() error {
	s.reply(451, "4.5.1", "command not understood, or out of order")
	if s.errors++; s.errors > maxErrors {
		return errMany
	}
	return nil
}

func (s *session) reset() { s.started, s.null, s.recipients = false, false, nil }

func (s *session) mail(arg string) error {
	path, ok := pathOf(arg, "FROM:")
	if !ok {
		return s.misunderstood()
	}
	s.reset()
	if err := s.server.Filter.Spool.Check(); err != nil {
		s.server.log(filter.Result{}, err)
		s.replyTo("", filter.Result{}, err)
		return nil
	}
	s.started, s.null = true, path == ""
	s.reply(250, "2.1.0", "sender accepted")
	return nil
}

func (s *session) rcpt(arg string) error {
	path, ok := pathOf(arg, "TO:")
	switch {
	case !ok || !s.started:
		return s.misunderstood()
	case len(s.recipients) == maxRecipients:
		s.reply(452, "4.5.3", "too many recipients; send the mail again for the others")
	default:
		s.recipients = append(s.recipients, echo(path))
		s.reply(250, "2.1.5", "recipient accepted")
	}
	return nil
}

// pathOf returns the path in the argument of MAIL or RCPT. It ignores parameters, such as
// those of DSN (RFC 3461).
func pathOf(arg, keyword string) (path string, ok bool) {
	if len(arg) < len(keyword) || !strings.EqualFold(arg[:len(keyword)], keyword) {
		return "", false
	}
	arg = strings.TrimLeft(arg[len(keyword):], " ")
	if rest, isPath := strings.CutPrefix(arg, "<"); isPath {
		path, _, ok = strings.Cut(rest, ">")
		return path, ok
	}
	path, _, _ = strings.Cut(arg, " ")
	return path, strings.Contains(path, "@")
}

// echo returns a path for replies.
func echo(path string) string {
	if len(path) > maxEcho || path != oneLine(path) {
		return "unusual-address"
	}
	return path
}

// data accepts a mail, and replies for each of its recipients.
func (s *session) data() error {
	s.reply(354, "", "send the mail")
	s.inMail.Store(true)
	body := &mailReader{in: s.in, begins: true}
	var in io.Reader = body
	if s.null {
		// A delivering system adds the sender (RFC 5321, section 4.4). The filter
		// recognises a bounce by the empty one.
		in = io.MultiReader(strings.NewReader("Return-Path: <>\r\n"), body)
	}
	result, err := s.server.run(in)
	io.Copy(io.Discard, body) // the rest, after a panic
	s.inMail.Store(false)
	s.server.log(result, err)
	for _, to := range s.recipients {
		s.replyTo("<"+to+"> ", result, err)
	}
	s.reset()
	if body.err != io.EOF {
		return body.err
	}
	return nil
}

// run is Filter.Run. It turns a panic into an error.
func (s *Server) run(r io.Reader) (result filter.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			s.Log.Error("lmtp: panic", "stack", string(debug.Stack()))
		}
	}()
	return s.Filter.Run(r)
}

func (s *Server) log(result filter.Result, err error) {
	switch {
	case err != nil:
		s.Log.Error("lmtp: not accepted", "err", err)
	case result.Verdict == filter.Spooled:
		s.Log.Info("lmtp: spooled", "name", result.Reason)
	default:
		s.Log.Debug("lmtp: ignored", "reason", result.Reason)
	}
}

// replyTo sends the reply to a mail, with enhanced status codes (RFC 3463), for a recipient.
// Mail systems log its text.
func (s *session) replyTo(recipient string, result filter.Result, err error) {
	switch {
	case err == nil:
		s.reply(250, "2.0.0", recipient+oneLine(result.Verdict.String()+": "+result.Reason))
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		s.reply(452, "4.3.1", recipient+oneLine("error: "+err.Error()))
	default:
		s.reply(451, "4.3.0", recipient+oneLine("error: "+err.Error()))
	}
}

// reply sends a reply, or its last line. The enhanced status code may be empty.
func (s *session) reply(code int, enhanced, text string) {
	if enhanced != "" {
		enhanced += " "
	}
	fmt.Fprintf(s.out, "%d %s%s\r\n", code, enhanced, text)
}

// oneLine returns s as one line of ASCII of at most maxReply bytes. It shortens a long text
// in the middle: the end of an error has the reason.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	if n := len(s); n > maxReply {
		s = s[:maxReply/3] + "..." + s[n-maxReply/2:]
	}
	return s
}
