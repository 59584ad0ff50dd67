package lmtp

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"vext/spool"
)

// Every valid address is accepted, and so are parameters, also those of extensions that
// are not offered.
func TestEnvelope(t *testing.T) {
	c := open(t).dial()
	for _, from := range []string{
		"<>", "<jane@example.org>", "jane@example.org", "<root>", "<MAILER-DAEMON>", `<"jane miller"@example.org>`,
		`<"a>b"@example.org>`, "<jäne@bücher.example>", "<@relay.example.org:jane@example.org>", "<jane@[192.0.2.1]>",
		"<jane@[IPv6:2001:db8::1]>", "<a..b@example.org>", "<.a.@example.org>", "<a:b,c@example.org>", "<=?utf-8?q?x?=@example.org>",
		"<" + strings.Repeat("a", 64) + "@" + strings.Repeat("a.", 120) + "org>", "<" + strings.Repeat("a", 500) + "@example.org>",
		"<x@example.org> SIZE=99999999999999999999 BODY=8BITMIME SMTPUTF8", "<x@example.org> BODY=BINARYMIME", "<x@example.org> BODY=7BIT",
		"<x@example.org> RET=HDRS ENVID=QQ314159+3Cx+3E", "<x@example.org> AUTH=<> REQUIRETLS", "<x@example.org> MT-PRIORITY=9 BY=1;N HOLDFOR=5 X=y=z",
	} {
		c.ask("MAIL FROM:"+from, "250")
		c.ask("RSET", "250")
	}
	c.ask("mail from: <jane@example.org> ", "250")
	for _, to := range []string{
		"<commits@example.org>", "commits@example.org", "<Postmaster>", "<vext>", `<"com mits"@example.org>`, "<commits+mfc=x@example.org>",
		"<@a,@b:commits@example.org>", "<commits@localhost>", "<commits@>", "<@example.org>", `<"\"">`, "<é>", "<commits@example.org> NOTIFY=NEVER",
		"<commits@example.org> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;commits+2B@example.org", "<commits@example.org> ORCPT=x400;/c=us/ RRVS=now",
		`<commits@example.org> ORCPT=utf-8;b\x{FC}cher@example.org`,
	} {
		c.ask("RCPT TO:"+to, "250")
	}
	c.ask("rcpt to:<commits@example.org>", "250")
	c.ask("DATA ", "354")
}

// Whatever a mail contains, its end is found, and the next mail is accepted.
func TestOddMails(t *testing.T) {
	h := open(t)
	c := h.dial()
	head := strings.ReplaceAll(asks("%d@b"), "\n", "\r\n") + "\r\n"
	for i, tail := range []string{
		"",
		"a",
		"a\r", // CR CR LF
		"a\r\r\r\r",
		"\r", "\r\r",
		"..", "..\r\n..", "..\r", ".\r\r", ".a",
		"a\n.", "a\n.\n", "a\r.", "a\r\r.", "a\n\r\n..",
		strings.Repeat("x", maxPiece-1), strings.Repeat("x", maxPiece-1) + "\r", strings.Repeat("x", maxPiece-2) + "\r\r",
		strings.Repeat("\r", maxPiece), strings.Repeat("\r", 3*maxPiece+5), strings.Repeat(".", 2*maxPiece),
		strings.Repeat("x", 10<<20), strings.Repeat("x", 10<<20) + "\r\n\r\n" + strings.Repeat("\x00", 1<<20),
		"\x00\xff\xfe", "354 x\r\n250 x\r\nQUIT\r\nMAIL FROM:<a@b>\r\nRCPT TO:<root>\r\nBDAT 5 LAST",
	} {
		c.begin()
		c.send(fmt.Sprintf(head, i) + tail + "\r\n.\r\n")
		c.want(fmt.Sprintf("250 2.0.0 <commits@example.org> spooled: %d@b", i))
		if len(h.spooled()) != i+1 {
			t.Errorf("%q: %q", tail, h.spooled())
		}
		c.ask("NOOP", "250 2.0.0") // nothing of the mail was read as a command
	}
}

// Replies are short enough for every client.
func TestLongNames(t *testing.T) {
	h := open(t)
	long := strings.Repeat("long.", 50)
	h.filter.Spool = spool.New(h.state + "/" + long + "/" + long)
	c := h.dial()
	c.ask("LHLO "+long+"example.org", "250")
	c.ask("LHLO "+long[:90], "250")
	c.ask("MAIL FROM:<"+long+"@example.org>", "250")
	c.ask("RCPT TO:<"+long+"@example.org>", "250")
	c.ask("RCPT TO:<"+long[:80]+"@example.org>", "250")
	c.ask("DATA", "354")
	c.send(encoded(asks(long[:150] + "@b")))
	for range 2 {
		if got := c.want("451"); !strings.HasSuffix(got, ": no such file or directory") {
			t.Errorf("the answer is %q", got)
		}
	}
}

// Invalid commands get a temporary error, too.
func TestNoPermanentError(t *testing.T) {
	h := open(t)
	for _, line := range []string{
		"", " ", "X", "XYZ", "NOOPX", "HELLO", "HELO a", "EHLO a", "LHLO", "MAIL", "MAIL FROM", "MAIL FROM:", "MAIL FROM:<a", "MAIL FROM:x",
		"RCPT TO:<a@b>", "DATA", "DATA x", "AUTH", "AUTH PLAIN", "STARTTLS", "EXPN a", "HELP", "TURN", "\x00\xff", strings.Repeat("x", 2*maxCommand),
		"BDAT 5 LAST\r\nhello", "LHLO " + strings.Repeat("x", 10*maxPiece), "RCPT TO:<" + strings.Repeat("x", maxCommand) + ">",
	} {
		c := h.dial()
		c.ask(line, "4")
	}
	c := h.dial() // too many of them
	for range 4 {
		c.ask("XYZ", "451 4")
	}
	c.want("421 4.5.1 ")
}

// BDAT, which is not offered, ends the connection: a mail would follow.
func TestBDAT(t *testing.T) {
	h := open(t)
	c := h.dial()
	c.send("MAIL FROM:<jane@example.org>\r\nRCPT TO:<commits@example.org>\r\nBDAT 1000 LAST\r\n" + strings.ReplaceAll(asks("a@b"), "\n", "\r\n"))
	ok(t, c.conn.(*net.UnixConn).CloseWrite())
	c.want("250", "250", "421")
	h.wantSpooled()
}

// The offered extensions.
func TestExtensions(t *testing.T) {
	c := open(t).dial()
	got := c.ask("LHLO mail.example.org", "250")
	if want := "250-Hello mail.example.org 250-PIPELINING 250-8BITMIME 250-ENHANCEDSTATUSCODES 250-SMTPUTF8 250-SIZE 250 LIMITS RCPTMAX=1000"; got != want {
		t.Errorf("it offers %q, want %q", got, want)
	}
}

// Pipelined commands are answered together, and the next mail may follow the last one
// (RFC 2920, section 3.1).
func TestPipelining(t *testing.T) {
	h := open(t)
	c := h.dial()
	const group = "MAIL FROM:<jane@example.org>\r\nRCPT TO:<a@example.org>\r\nRCPT TO:<vext>\r\nDATA\r\n"
	answers := []string{"250 2.0.0 <a@example.org>", "250 2.0.0 <vext>"}
	c.send(group)
	c.want("250", "250", "250", "354")
	for i := range 20 {
		c.send(encoded(asks(fmt.Sprintf("%d@b", i))) + group)
		c.want(answers...)
		c.want("250", "250", "250", "354")
		if i > 0 && c.in.Buffered() > 0 {
			t.Errorf("it said more than it was asked")
		}
	}
	c.send(encoded(idle("x@b")) + "QUIT\r\n" + group + encoded(asks("late@b")))
	c.want(answers...)
	c.want("221")
	if rest, err := c.reply(); err == nil {
		t.Errorf("behind QUIT it said %q", rest)
	}
	h.close()
	if strings.Contains(h.log.String(), "panic") {
		t.Errorf("the log says %q", h.log)
	}
	if n := len(h.spooled()); n != 20 {
		t.Errorf("%d in the spool", n)
	}
}

// Held replies are sent before the server waits for more commands.
func TestHalfACommand(t *testing.T) {
	c := open(t).dial()
	c.send("NOOP\r\nNOOP\r\nNO")
	c.want("250", "250")
	c.send("OP\r\n")
	c.want("250")
}

// The sizes of reads do not matter.
func TestPieces(t *testing.T) {
	h := open(t)
	text := "LHLO x\r\nMAIL FROM:<jane@example.org>\r\nRCPT TO:<vext>\r\nDATA\r\n" + encoded(asks("a@b")+"x\r\n..\r\n") + "QUIT\r\n"
	for _, in := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
		c := newClient(t, dial(t, h))
		_, err := io.Copy(struct{ io.Writer }{c.conn}, in)
		ok(t, err)
		c.want("250", "250", "250", "354", "250 2.0.0 <vext> spooled: a@b", "221")
		h.wantSpooled("a@b")
	}
}

// A pipes is a listener without a network, for tests with a fake clock.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (p *pipes) dial(t *testing.T) *client {
	t.Helper()
	ours, theirs := net.Pipe()
	p.conns <- theirs
	c := newClient(t, ours)
	c.ask("LHLO x", "250")
	return c
}

// piped runs a test with a server without a network, and with a fake clock.
func piped(t *testing.T, test func(t *testing.T, h *house, p *pipes)) {
	h := open(t)
	h.close()
	synctest.Test(t, func(t *testing.T) {
		h := &house{t: t, state: h.state, filter: h.filter, log: h.log, done: make(chan error, 1)}
		p := &pipes{make(chan net.Conn), make(chan struct{})}
		h.serve(p)
		test(t, h, p)
		h.close()
	})
}

// A silent client is disconnected, and its mail is not accepted; a slow one is not.
func TestPatience(t *testing.T) {
	piped(t, func(t *testing.T, h *house, p *pipes) {
		c := p.dial(t)
		begun := time.Now()
		c.want("421")
		if took := time.Since(begun); took != patience {
			t.Errorf("it waited for %v", took)
		}

		c = p.dial(t)
		c.begin()
		for _, line := range strings.SplitAfter(encoded(asks("slow@b")), "\n") {
			time.Sleep(patience - time.Second)
			c.send(line)
			if line == ".\r\n" {
				break
			}
		}
		c.want("250")

		c = p.dial(t)
		c.begin()
		text := encoded(asks("still@b"))
		c.send(text[:len(text)-5])
		begun = time.Now()
		c.want("451 4.3.0 <commits@example.org> error: ", "421")
		if took := time.Since(begun); took != patience {
			t.Errorf("it waited for %v", took)
		}
		h.wantSpooled("slow@b")
	})
}

// When the server ends, idle clients get a reply at once, mails in progress are accepted,
// and an unfinished mail does not delay the end.
func TestEnd(t *testing.T) {
	piped(t, func(t *testing.T, h *house, p *pipes) {
		idle, busy, stuck, asking := p.dial(t), p.dial(t), p.dial(t), p.dial(t)
		busy.begin()
		text := encoded(asks("busy@b"))
		busy.send(text[:100])
		stuck.begin()
		stuck.send("From: x\r\n")
		asking.ask("MAIL FROM:<a@b>", "250")
		synctest.Wait()
		begun := time.Now()
		h.stop()
		idle.want("421")
		asking.want("421")
		time.Sleep(grace / 2)
		busy.send(text[100:])
		busy.want("250", "421")
		stuck.want("451", "421")
		ok(t, <-h.done)
		close(h.done)
		if took := time.Since(begun); took != grace {
			t.Errorf("it took %v to end, want %v", took, grace)
		}
		h.wantSpooled("busy@b")
	})
}

// When silent clients have all connections, between mails or within one, another client is
// served at once: the slowest is disconnected, and sends its mail again.
func TestMostConns(t *testing.T) {
	h := open(t)
	var first []*client
	for range maxConns - 1 {
		first = append(first, h.dial())
	}
	within := h.dial()
	within.begin()
	first[0].ask("NOOP", "250") // is no longer the slowest
	for i := range maxConns {
		begun := time.Now()
		h.dial().mail(idle(fmt.Sprintf("%d@b", i)), "250")
		if took := time.Since(begun); took > time.Second {
			t.Fatalf("a mail took %v", took)
		}
	}
	if reply, err := first[1].reply(); err == nil {
		t.Errorf("the slowest was not disconnected: %s", reply)
	}
}

// Whatever a client sends, no reply is a permanent error, and no incomplete mail is
// spooled.
func FuzzSession(f *testing.F) {
	for _, s := range []string{
		"", "MAIL FROM:<a@b>\r\nRCPT TO:<vext>\r\nDATA\r\n" + encoded(idle("x")), "BDAT 5 LAST\r\nhello", "RCPT TO:<a\nDATA\r\n", "\r\n\r\n", "LHLO \x00",
		"MAIL FROM:<>\r\nRCPT TO:<\"a\n>@b>\r\nDATA\r\n.\r\r\n.\r\nQUIT\r\n", "MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\nFrom: a\r\n\r\nMFC after: 1 day\r\n.\n",
	} {
		f.Add([]byte(s))
	}
	h := open(f)
	f.Fuzz(func(t *testing.T, sent []byte) {
		conn, err := net.Dial("unix", h.socket)
		ok(t, err)
		defer conn.Close()
		ok(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		go func() {
			conn.Write(append([]byte("LHLO x\r\n"), sent...))
			conn.(*net.UnixConn).CloseWrite()
		}()
		replies, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(replies) {
			if line[0] == '5' || !bytes.HasSuffix(line, []byte("\r\n")) {
				t.Errorf("it replied %q", line)
			}
		}
		if !bytes.Contains(sent, []byte("\r\n.\r\n")) {
			if files, _ := os.ReadDir(h.filter.Spool.Dir()); len(files) > 0 {
				t.Errorf("spooled: %s", files[0].Name())
			}
		}
	})
}

// The log has the reason for a disconnection.
func TestErrorLog(t *testing.T) {
	h := open(t)
	h.dial().ask(strings.Repeat("x", 2*maxCommand), "421")
	eventually(t, "the log says it", func() bool { return strings.Contains(h.log.String(), errLong.Error()) })
}
