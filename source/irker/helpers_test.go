package irker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/outboxtest"
	"vext/notify"
)

// An outbox keeps lines in memory.
type outbox struct {
	outboxtest.Memory
	mu    sync.Mutex
	lines []notify.Message
	puts  int          // calls of Put, those that failed as well
	fails func() error // called by Put
	full  string       // a target of which there is one too many
}

func (o *outbox) Put(ctx context.Context, lines ...notify.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	o.puts++
	if o.fails != nil {
		if err := o.fails(); err != nil {
			return err
		}
	}
	for _, line := range lines {
		if o.full != "" && line.Target == o.full {
			return &notify.PermanentError{Err: errTooMany}
		}
	}
	if err := o.Memory.Put(ctx, lines...); err != nil {
		return err
	}
	o.lines = append(o.lines, lines...)
	return nil
}

func TestOutbox(t *testing.T) {
	outboxtest.Test(t, func(*testing.T) outboxtest.Case {
		o := new(outbox)
		return o.Case(o)
	})
}

var errTooMany = errors.New("too many channels")

// fail makes Put fail from now on, or no more.
func (o *outbox) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fails = func() error { return err }
}

// hold makes the next call of Put wait until release is called; held is closed
// when it does.
func (o *outbox) hold() (held chan struct{}, release func()) {
	held, free := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(held); <-free })
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fails = func() error { once(); return nil }
	return held, func() { close(free) }
}

// tries returns how often Put was called.
func (o *outbox) tries() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.puts
}

// texts returns the lines that were kept, each as its target and its text.
func (o *outbox) texts() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var texts []string
	for _, line := range o.lines {
		texts = append(texts, line.Target+" "+line.Text)
	}
	return texts
}

// A harness is a server with its outbox.
type harness struct {
	t       testing.TB
	outbox  *outbox
	log     *testkit.Log
	server  *Server
	address string
	stop    context.CancelFunc
	done    chan error
}

// newHarness returns a harness whose server does not run yet.
func newHarness(t testing.TB) *harness {
	h := &harness{t: t, outbox: new(outbox), log: new(testkit.Log), done: make(chan error, 1)}
	h.server = &Server{
		Outbox: h.outbox, Log: slog.New(slog.NewTextHandler(h.log, nil)), Now: time.Now,
		Format: func(f Fields) (string, error) {
			if f.Branch == "broken" {
				return "", errors.New("a template that fails")
			}
			return fmt.Sprintf("%s %s %s %s", f.Project, f.Branch, f.Commit, f.Author), nil
		},
	}
	return h
}

// open runs a server at a free port of the loopback interface.
func open(t testing.TB, change ...func(*Server)) *harness {
	t.Helper()
	h := newHarness(t)
	for _, f := range change {
		f(h.server)
	}
	l, p, err := Listen("127.0.0.1:0")
	ok(t, err)
	h.address = l.Addr().String()
	h.serve(l, p)
	t.Cleanup(h.close)
	return h
}

func (h *harness) serve(l net.Listener, p net.PacketConn) {
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	go func() { h.done <- h.server.Serve(ctx, l, p) }()
}

// close ends the server, unless that was done.
func (h *harness) close() {
	h.t.Helper()
	h.stop()
	if err, first := <-h.done; first {
		ok(h.t, err)
		close(h.done)
	}
}

// want waits until just these lines were kept.
func (h *harness) want(want ...string) {
	h.t.Helper()
	h.eventually(func() bool { return len(h.outbox.texts()) >= len(want) }, "%d lines are kept", len(want))
	same(h.t, h.outbox.texts(), want)
}

// wantLog waits until the log has all these.
func (h *harness) wantLog(wants ...string) {
	h.t.Helper()
	for _, want := range wants {
		h.eventually(func() bool { return strings.Contains(h.log.String(), want) }, "the log has %q", want)
	}
}

const patience = time.Minute

func (h *harness) eventually(done func() bool, what string, args ...any) {
	h.t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("waited in vain until %s; there is %.1000q, and the log is\n%s", fmt.Sprintf(what, args...), h.outbox.texts(), h.log)
		}
	}
}

// A caller is a client, by TCP or UDP.
type caller struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

func (h *harness) dial(network string) *caller {
	h.t.Helper()
	conn, err := net.Dial(network, h.address)
	ok(h.t, err)
	return newCaller(h.t, conn)
}

func newCaller(t testing.TB, conn net.Conn) *caller {
	t.Cleanup(func() { conn.Close() })
	return &caller{t, conn, bufio.NewReader(conn)}
}

// send sends lines or, by UDP, one datagram.
func (c *caller) send(text string) {
	c.t.Helper()
	ok(c.t, c.conn.SetWriteDeadline(time.Now().Add(patience)))
	_, err := io.WriteString(c.conn, text)
	ok(c.t, err)
}

// wantAnswer reads the next answer.
func (c *caller) wantAnswer(want string) {
	c.t.Helper()
	ok(c.t, c.conn.SetReadDeadline(time.Now().Add(patience)))
	got, err := c.in.ReadString('\n')
	if got != want+"\n" {
		c.t.Errorf("the answer is %q, %v, want %q", got, err, want)
	}
}

// wantEnd waits until the server has closed the connection, without a word.
func (c *caller) wantEnd() {
	c.t.Helper()
	ok(c.t, c.conn.SetReadDeadline(time.Now().Add(patience)))
	if rest, err := io.ReadAll(c.in); len(rest) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Errorf("at the end there is %q, %v", rest, err)
	}
}

// to returns a request to a channel, with more members.
func to(channel, text string, more ...string) string {
	return fmt.Sprintf(`{"to":"irc://h/%s","privmsg":%q%s}`+"\n", channel, text, strings.Join(more, ""))
}

const ack = `,"ack":true`

func same(t testing.TB, got, want []string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("there is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
