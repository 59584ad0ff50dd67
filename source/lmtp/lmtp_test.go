package lmtp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"

	"vext/internal/testkit"
)

func TestVerdicts(t *testing.T) {
	for _, test := range []struct {
		name, from, mail string
		want             string
		spooled          bool
	}{
		{"asks", "jane@example.org", asks("a@b"), "spooled: a@b", true},
		{"asks for nothing", "jane@example.org", idle("a@b"), "ignored: no trailer that asks for a reminder", false},
		{"no mail", "jane@example.org", "\nhello\n", "bad input: not a mail: it has no header", false},
		{"empty", "jane@example.org", "", "bad input: not a mail: it has no header", false},
		{"a bounce", "", asks("a@b"), "ignored: a bounce: its envelope sender is empty", false},
		{"a reply", "jane@example.org", strings.Replace(asks("a@b"), "Subject: ", "Subject: Re: ", 1), "ignored: a reply", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := open(t)
			c := smtp.NewClientLMTP(dial(t, h))
			defer c.Close()
			ok(t, c.Mail(test.from, &smtp.MailOptions{Body: smtp.Body8BitMIME, UTF8: true, Size: 1000}))
			recipients := []string{"commits@example.org", "commits@lists.example.org"}
			for _, to := range recipients {
				ok(t, c.Rcpt(to, nil))
			}
			data, err := c.Data()
			ok(t, err)
			_, err = io.WriteString(data, test.mail)
			ok(t, err)
			answers, err := data.CloseWithLMTPResponse()
			ok(t, err)
			for _, to := range recipients {
				if got, want := answers[to].StatusText, "2.0.0 <"+to+"> "+test.want; got != want {
					t.Errorf("the answer is %q, want %q", got, want)
				}
			}
			ok(t, c.Quit())
			if n := len(h.spooled()); (n == 1) != test.spooled {
				t.Errorf("%d in the spool", n)
			}
			if _, text, _ := strings.Cut(test.want, ": "); !strings.Contains(h.log.String(), text) {
				t.Errorf("the log says %q, want %q", h.log, text)
			}
		})
	}
}

func dial(t testing.TB, h *house) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", h.socket)
	ok(t, err)
	return conn
}

// A mail keeps its bytes.
func TestBytes(t *testing.T) {
	h := open(t)
	mail := asks("a@b") + ".\n..\n.x\n \t\n\x80\xff\x00\n"
	h.dial().mail(mail, "250 2.0.0 <commits@example.org> spooled: a@b")
	got, err := os.ReadFile(h.filter.Spool.Path("a@b"))
	ok(t, err)
	if want := strings.ReplaceAll(mail, "\n", "\r\n") + "\r\n"; string(got) != want {
		t.Errorf("in the spool: %q, want %q", got, want)
	}
}

// When the disk is full, or there is another error of the machine, the reply is temporary
// and has the reason; later the mail is accepted.
func TestErrors(t *testing.T) {
	testkit.Root(t)
	for _, test := range []struct {
		name      string
		hinder    func(t *testing.T, h *house) (mend func())
		want, why string
	}{
		{"a full disk", fullDisk, "452 4.3.1 <commits@example.org> error: ", "no space left on device"},
		{"no spool", inTheWay, "451 4.3.0 <commits@example.org> error: ", "not a directory"},
		{"a panic", panicking, "451 4.3.0 <commits@example.org> error: panic: ", "nil pointer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := open(t)
			mend := test.hinder(t, h)
			c := h.dial()
			if got := c.mail(asks("a@b"), test.want); !strings.Contains(got, test.why) {
				t.Errorf("the answer is %q, want %q in it", got, test.why)
			}
			if !strings.Contains(h.log.String(), "level=ERROR") || !strings.Contains(h.log.String(), test.why) {
				t.Errorf("the log says %q", h.log)
			}
			mend()
			c.mail(asks("a@b"), "250")
			h.wantSpooled("a@b")
		})
	}
}

// fullDisk puts the state directory on a disk and fills that.
func fullDisk(t *testing.T, h *house) (mend func()) {
	mount(t, h.state)
	path := filepath.Join(h.state, "filler")
	f, err := os.Create(path)
	ok(t, err)
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 1<<10))
	}
	return func() { ok(t, os.Remove(path)) }
}

// inTheWay puts a file where the spool should be.
func inTheWay(t *testing.T, h *house) (mend func()) {
	ok(t, os.WriteFile(h.filter.Spool.Dir(), nil, 0o600))
	return func() { ok(t, os.Remove(h.filter.Spool.Dir())) }
}

// panicking makes the filter panic on every mail.
func panicking(_ *testing.T, h *house) (mend func()) {
	trailers := h.filter.Trailers
	h.filter.Trailers = nil
	return func() { h.filter.Trailers = trailers }
}

// Every recipient gets a reply, in order; those beyond the bound get a temporary error.
func TestRecipients(t *testing.T) {
	h := open(t)
	c := h.dial()
	c.ask("MAIL FROM:<jane@example.org>", "250")
	var names []string
	for i := range maxRecipients {
		name := fmt.Sprintf("<commits%d@example.org>", i%(maxRecipients-1)) // one of them twice
		names = append(names, name)
		c.ask("RCPT TO:"+name, "250")
	}
	c.ask("RCPT TO:<commits@example.org>", "452 4.5.3")
	c.ask("DATA", "354")
	c.send(encoded(asks("a@b")))
	for _, name := range names {
		c.want("250 2.0.0 " + name + " spooled: a@b")
	}
	h.wantSpooled("a@b")
	if n := strings.Count(h.log.String(), "\n"); n != 1 {
		t.Errorf("%d lines in the log:\n%s", n, h.log)
	}
}

// A mail is not spooled when its client disconnects, wherever in the mail, and no part of
// it is read as commands.
func TestBrokenOff(t *testing.T) {
	h := open(t)
	text := encoded(asks("a@b") + "\nMAIL FROM:<x@example.org>\nRCPT TO:<x@example.org>\nDATA\n" + asks("x@b"))
	for end := range len(text) {
		c := h.dial()
		c.begin()
		c.send(text[:end])
		ok(t, c.conn.(*net.UnixConn).CloseWrite())
		c.want("451 4.3.0 <commits@example.org> error: unexpected EOF")
		if rest, err := c.reply(); !errors.Is(err, io.EOF) {
			t.Errorf("broken off after %d bytes, the server went on with %q, %v", end, rest, err)
		}
		h.wantSpooled()
	}
	c := h.dial()
	c.begin()
	c.send(text[:len(text)-1])
	c.conn.Close()
	eventually(t, "the server has seen the end", func() bool { return strings.Count(h.log.String(), "level=ERROR") == len(text)+1 })
	h.wantSpooled()
}

func TestManyClients(t *testing.T) {
	h := open(t)
	const clients, mails = 150, 10 // more clients than are served at once
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			conn, err := net.Dial("unix", h.socket)
			if err != nil {
				t.Error(err)
				return
			}
			c := smtp.NewClientLMTP(conn)
			defer c.Close()
			for j := range mails {
				id := fmt.Sprintf("%d.%d@b", i, j)
				for _, mail := range []string{asks(id), idle(id), asks(id)} {
					if err := c.SendMail("jane@example.org", []string{"commits@example.org"}, strings.NewReader(mail)); err != nil {
						t.Error(err)
						return
					}
					if err := c.Reset(); err != nil { // or go-smtp waits for answers for the last mail's recipients, too
						t.Error(err)
						return
					}
				}
			}
			c.Quit()
		})
	}
	all.Wait()
	if n := len(h.spooled()); n != clients*mails {
		t.Errorf("%d in the spool, want %d", n, clients*mails)
	}
}

// Many large mails at once need little memory: the filter keeps only the beginning of one
// beyond 1 MB.
func TestMemory(t *testing.T) {
	h := open(t)
	const clients, size = 20, 5 << 20
	line := "+\tif (error != 0)\t\t/* a line of a diff: no trailer in it */\r\n"
	piece := strings.Repeat(line, 1000)
	var all sync.WaitGroup
	var most uint64
	for i := range clients {
		c := h.dial()
		c.begin()
		c.send(strings.ReplaceAll(asks(fmt.Sprintf("%d@b", i)), "\n", "\r\n"))
		all.Go(func() {
			for range size / len(piece) {
				if _, err := io.WriteString(c.conn, piece); err != nil {
					t.Error(err)
					return
				}
			}
			if i == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = m.HeapInuse
			}
			io.WriteString(c.conn, ".\r\n")
			if reply, err := c.reply(); err != nil || !strings.HasPrefix(reply, "250") {
				t.Errorf("the server replied %q, %v", reply, err)
			}
		})
	}
	all.Wait()
	if most > 100<<20 {
		t.Errorf("%d MB in use with %d mails of %d MB at once", most>>20, clients, size>>20)
	}
	if n := len(h.spooled()); n != clients {
		t.Errorf("%d in the spool, want %d", n, clients)
	}
}
