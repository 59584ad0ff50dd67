package lmtp

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/filter"
	"vext/internal/commit"
	"vext/internal/testkit"
	"vext/spool"
)

// A house is a server with a socket and a state directory.
type house struct {
	t      testing.TB
	state  string
	socket string
	filter *filter.Filter
	log    *testkit.Log
	stop   context.CancelFunc
	done   chan error
}

// open starts a server.
func open(t testing.TB) *house {
	t.Helper()
	dir, err := os.MkdirTemp("", "lmtp") // of a short name, which a socket needs
	ok(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &house{t: t, state: testkit.State(t), socket: filepath.Join(dir, "lmtp"), log: new(testkit.Log), done: make(chan error, 1)}
	h.filter, err = filter.New(spool.New(h.state), time.Now)
	ok(t, err)
	h.filter.Source = commit.FromLMTP
	l, err := Listen("unix", h.socket)
	ok(t, err)
	h.serve(l)
	return h
}

// serve starts the server on l.
func (h *house) serve(l net.Listener) {
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	s := &Server{Filter: h.filter, Log: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	go func() { h.done <- s.Serve(ctx, l) }()
	h.t.Cleanup(h.close)
}

// close ends the server, unless that was done.
func (h *house) close() {
	h.stop()
	if err, first := <-h.done; first {
		ok(h.t, err)
		close(h.done)
	}
}

// spooled returns the names in the spool. There must be nothing in tmp/.
func (h *house) spooled() []string {
	h.t.Helper()
	stray, _ := os.ReadDir(filepath.Join(h.state, "tmp"))
	if len(stray) > 0 {
		h.t.Errorf("left behind in tmp/: %s", stray[0].Name())
	}
	files, _ := os.ReadDir(h.filter.Spool.Dir())
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

func (h *house) wantSpooled(want ...string) {
	h.t.Helper()
	if got := h.spooled(); !slices.Equal(got, want) {
		h.t.Errorf("in the spool: %q, want %q", got, want)
	}
}

// A client sends what a test wants, valid or not.
type client struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

// dial returns a client that has sent LHLO.
func (h *house) dial() *client {
	h.t.Helper()
	conn, err := net.Dial("unix", h.socket)
	ok(h.t, err)
	c := newClient(h.t, conn)
	c.ask("LHLO mail.example.org", "250")
	return c
}

func newClient(t testing.TB, conn net.Conn) *client {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	c := &client{t, conn, bufio.NewReader(conn)}
	c.want("220")
	return c
}

func (c *client) send(text string) {
	c.t.Helper()
	_, err := io.WriteString(c.conn, text)
	ok(c.t, err)
}

// reply returns the next reply, with its lines joined by blanks.
func (c *client) reply() (string, error) {
	var lines []string
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return "", err
		}
		line = strings.TrimRight(line, "\r\n")
		lines = append(lines, line)
		if len(line) < 4 || line[3] != '-' {
			text := strings.Join(lines, " ")
			if n := len(text) + 2*len(lines); n > 240 {
				c.t.Errorf("a reply of %d bytes: %q", n, text)
			}
			return text, nil
		}
	}
}

// want reads a reply, which must begin with each of the texts, one a reply.
func (c *client) want(begins ...string) (last string) {
	c.t.Helper()
	for _, text := range begins {
		var err error
		last, err = c.reply()
		if err != nil || !strings.HasPrefix(last, text) {
			c.t.Fatalf("the server replied %q, %v; want %s", last, err, text)
		}
	}
	return last
}

func (c *client) ask(line string, begins ...string) string {
	c.t.Helper()
	c.send(line + "\r\n")
	return c.want(begins...)
}

// begin sends the commands before a mail.
func (c *client) begin() {
	c.t.Helper()
	c.send("MAIL FROM:<jane@example.org>\r\nRCPT TO:<commits@example.org>\r\nDATA\r\n")
	c.want("250", "250", "354")
}

// mail sends a mail and returns the answer.
func (c *client) mail(mail string, begins string) string {
	c.t.Helper()
	c.begin()
	c.send(encoded(mail))
	return c.want(begins)
}

// encoded returns a mail as it is sent: its line ends as CR LF, dots before
// dots (RFC 5321, 4.5.2), and its end.
func encoded(mail string) string {
	mail = strings.ReplaceAll("\n"+mail, "\n.", "\n..")[1:]
	return strings.ReplaceAll(mail, "\n", "\r\n") + "\r\n.\r\n"
}

// asks is a commit mail that asks for a reminder; idle is one that does not.
func asks(id string) string {
	return fmt.Sprintf("From: Ida <ida@example.org>\nMessage-ID: <%s>\nSubject: s\n\nfoo: fix bar\n\nMFC after: 1 week\n", id)
}

func idle(id string) string { return strings.Replace(asks(id), "MFC after", "Reviewed by", 1) }

// eventually waits until done.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out: %s", what)
		}
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
