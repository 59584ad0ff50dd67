package mail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"vext/notify"
)

const data = "From: mfc@example.org\r\nSubject: x\r\n\r\n.\r\n..dots\r\nend\r\n"

func newMail(to string) *notify.Mail {
	return &notify.Mail{Sender: "bounces@example.org", Recipient: to, Key: "0123abcd", Data: []byte(data)}
}

// Every way that takes a mail keeps these rules; how each is looked into is up
// to the caller.
func TestSenders(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	server := newServer(t, &backend{})
	script := filepath.Join(dir, "sendmail")
	box := filepath.Join(dir, "box")
	writeScript(t, script, `printf '%s\n' "$@" >>`+box+`.args; cat >>`+box)
	for _, test := range []struct {
		via      string
		received func() string
	}{
		{"maildir:" + filepath.Join(dir, "Maildir"), func() string { return readAll(t, filepath.Join(dir, "Maildir", "new", "*")) }},
		{"sendmail:" + script, func() string { return readAll(t, box) }},
		{"stdout:", out.String},
		{"smtp://" + server.addr, func() string { return strings.ReplaceAll(server.last(), "\r\n", "\n") }},
	} {
		t.Run(strings.SplitN(test.via, ":", 2)[0], func(t *testing.T) {
			s, err := Open(test.via, Options{Stdout: &out})
			if err != nil {
				t.Fatal(err)
			}
			ctx := context.Background()
			if err := s.Check(ctx); err != nil {
				t.Errorf("check: %v", err)
			}
			if err := s.Send(ctx, newMail("jane@example.org")); err != nil {
				t.Fatalf("send: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			if got, want := strings.TrimSpace(test.received()), strings.TrimSpace(toUnix(data)); got != want {
				t.Errorf("received %q, want %q", got, want)
			}
			if s.String() != test.via {
				t.Errorf("it is called %s", s)
			}
		})
	}
	if got := readAll(t, box+".args"); got != "-i\n-f\nbounces@example.org\n--\njane@example.org\n" {
		t.Errorf("sendmail was run with %q", got)
	}
}

func toUnix(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

func readAll(t *testing.T, pattern string) string {
	t.Helper()
	paths, _ := filepath.Glob(pattern)
	var all []byte
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data...)
	}
	return string(all)
}

func writeScript(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}

// A mail that is delivered again is in a Maildir once, read or unread.
func TestMaildirOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "Maildir")
	s, _ := Open("maildir:"+dir, Options{})
	for range 2 {
		if err := s.Send(context.Background(), newMail("a@b")); err != nil {
			t.Fatal(err)
		}
	}
	files, _ := filepath.Glob(dir + "/new/*")
	if len(files) != 1 {
		t.Fatalf("new: %v", files)
	}
	if err := os.Rename(files[0], filepath.Join(dir, "cur", filepath.Base(files[0])+":2,S")); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(context.Background(), newMail("a@b")); err != nil {
		t.Fatal(err)
	}
	if files, _ := filepath.Glob(dir + "/new/*"); len(files) != 0 {
		t.Errorf("new: %v", files)
	}
}

// An address never becomes an option of sendmail, and its exit status says
// whether to try again.
func TestSendmail(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "sendmail")
	s, _ := Open("sendmail:"+script, Options{})
	err := s.Send(context.Background(), newMail("a@b"))
	if !notify.IsUnavailable(err) || s.Check(context.Background()) == nil {
		t.Errorf("without the program: %v", err)
	}
	for status, refused := range map[int]bool{67: true, 68: true, 65: true, 75: false, 71: false, 1: false, 69: false} {
		writeScript(t, script, fmt.Sprintf("echo no; exit %d", status))
		err := s.Send(context.Background(), newMail("-oQ/tmp@b"))
		if err == nil || notify.IsPermanent(err) != refused || notify.IsUnavailable(err) {
			t.Errorf("status %d: %v", status, err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	for _, via := range []string{"", "smtp", "smtp://", "smtp://h?x=y", "smtp://h?starttls=maybe", "smtp://h?ca=/none", "sendmail:sendmail", "maildir:rel", "ftp://x", "smtp://user:secret@h:port"} {
		_, err := Open(via, Options{})
		if err == nil {
			t.Errorf("%q is taken", via)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the password is shown: %v", via, err)
		}
	}
}

// backend is a mail server with prepared answers.
type backend struct {
	mu                 sync.Mutex
	mails              []string
	conns              int
	failMail, failRcpt func(string) error
	failData           error
	password           string
}

type server struct {
	*backend
	addr string
	srv  *smtp.Server
}

func newServer(t *testing.T, b *backend) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l, b)
}

func serveOn(t *testing.T, l net.Listener, b *backend) *server {
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.conns++
		return &session{b: b}, nil
	}))
	s.AllowInsecureAuth = true
	s.ErrorLog = discard{}
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-done })
	return &server{b, l.Addr().String(), s}
}

type discard struct{}

func (discard) Printf(string, ...any) {}
func (discard) Println(...any)        {}

func (b *backend) last() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.mails) == 0 {
		return ""
	}
	return b.mails[len(b.mails)-1]
}

type session struct {
	b  *backend
	to string
}

func (s *session) AuthMechanisms() []string {
	if s.b.password == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, _, password string) error {
		if password != s.b.password {
			return errors.New("wrong")
		}
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.b.failMail != nil {
		return s.b.failMail(from)
	}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	if s.b.failRcpt != nil {
		return s.b.failRcpt(to)
	}
	return nil
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if s.b.failData != nil {
		return s.b.failData
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.mails = append(s.b.mails, string(data))
	return err
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

func reply(code int) error { return &smtp.SMTPError{Code: code, Message: "said the server"} }

// What a server says decides what becomes of the mail, and of those behind it.
func TestSMTPErrors(t *testing.T) {
	for _, test := range []struct {
		name            string
		b               *backend
		refused, closed bool
	}{
		{"unknown recipient", &backend{failRcpt: func(string) error { return reply(550) }}, true, false},
		{"recipient to be retried", &backend{failRcpt: func(string) error { return reply(450) }}, false, false},
		{"unwanted content", &backend{failData: reply(554)}, true, false},
		{"content to be retried", &backend{failData: reply(452)}, false, false},
		{"sender refused", &backend{failMail: func(string) error { return reply(550) }}, false, true},
		{"closing over a recipient", &backend{failRcpt: func(string) error { return reply(421) }}, false, false},
		{"closing over the content", &backend{failData: reply(421)}, false, false},
		{"closing", &backend{failMail: func(string) error { return reply(421) }}, false, true},
	} {
		srv := newServer(t, test.b)
		s, _ := Open("smtp://"+srv.addr, Options{})
		err := s.Send(context.Background(), newMail("jane@example.org"))
		if err == nil || notify.IsPermanent(err) != test.refused || notify.IsUnavailable(err) != test.closed {
			t.Errorf("%s: refused %v, closed %v: %v", test.name, notify.IsPermanent(err), notify.IsUnavailable(err), err)
		}
		s.Close()
	}
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	l.Close()
	s, _ := Open("smtp://"+l.Addr().String(), Options{})
	if err := s.Send(context.Background(), newMail("a@b")); !notify.IsUnavailable(err) {
		t.Errorf("no server: %v", err)
	}
	if err := s.Check(context.Background()); err == nil {
		t.Error("no server: nothing wrong")
	}
}

// All mails of a run go over one connection, those behind a refusal too.
func TestOneConnection(t *testing.T) {
	b := &backend{failRcpt: func(to string) error {
		if strings.HasPrefix(to, "no") {
			return reply(550)
		}
		return nil
	}}
	srv := newServer(t, b)
	s, _ := Open("smtp://"+srv.addr, Options{})
	for _, to := range []string{"a@b", "no@b", "c@d"} {
		if err := s.Send(context.Background(), newMail(to)); (err != nil) != (to == "no@b") {
			t.Errorf("%s: %v", to, err)
		}
	}
	s.Close()
	if b.conns != 1 || len(b.mails) != 2 {
		t.Errorf("%d connections, %d mails", b.conns, len(b.mails))
	}
}

// One mail that makes the server hang up does not hold up the others.
func TestHangUp(t *testing.T) {
	b := &backend{failRcpt: func(to string) error {
		if to == "w1@b" {
			return reply(421)
		}
		return nil
	}}
	srv := newServer(t, b)
	s, _ := Open("smtp://"+srv.addr, Options{})
	for _, to := range []string{"w0@b", "w1@b", "w2@b"} {
		if err := s.Send(context.Background(), newMail(to)); (err != nil) != (to == "w1@b") || notify.IsUnavailable(err) {
			t.Errorf("%s: %v", to, err)
		}
	}
	s.Close()
	if len(b.mails) != 2 {
		t.Errorf("%d mails", len(b.mails))
	}
}

// A connection that has died meanwhile is opened anew.
func TestReconnect(t *testing.T) {
	b := &backend{}
	srv := newServer(t, b)
	s, _ := Open("smtp://"+srv.addr, Options{})
	if err := s.Send(context.Background(), newMail("a@b")); err != nil {
		t.Fatal(err)
	}
	s.(*smtpSender).client.Close()
	if err := s.Send(context.Background(), newMail("a@b")); err != nil {
		t.Errorf("after the connection had died: %v", err)
	}
	s.Close()
}

func TestAuth(t *testing.T) {
	srv := newServer(t, &backend{password: "right"})
	for password, ok := range map[string]bool{"right": true, "wrong": false} {
		s, _ := Open("smtp://"+srv.addr, Options{User: "u", Password: password})
		err := s.Check(context.Background())
		if (err == nil) != ok {
			t.Errorf("%s password: %v", password, err)
		}
		if err != nil && !notify.IsUnavailable(s.Send(context.Background(), newMail("a@b"))) {
			t.Errorf("%s password: mails are sent", password)
		}
	}
}

// A context that ends ends the wait for a server that does not answer.
func TestCancel(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			accepted <- c
		}
	}()
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	s, _ := Open("smtp://"+l.Addr().String(), Options{})
	go func() {
		c := <-accepted
		cancel()
		<-ended
		c.Close()
	}()
	defer close(ended)
	if err := s.Send(ctx, newMail("a@b")); err == nil {
		t.Error("no error")
	}
}

// A program that leaves a child behind, as one that delivers in the background
// does, is not waited for.
func TestSendmailWithChild(t *testing.T) {
	script := filepath.Join(t.TempDir(), "sendmail")
	writeScript(t, script, "cat >/dev/null; sleep 60 & exit 0")
	s, _ := Open("sendmail:"+script, Options{})
	begun := time.Now()
	if err := s.Send(context.Background(), newMail("a@b")); err != nil || time.Since(begun) > 30*time.Second {
		t.Errorf("%v after %s", err, time.Since(begun))
	}
}

// say runs a server that says the same whatever it is asked.
func say(t *testing.T, talk func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c, err := l.Accept(); err == nil {
			talk(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// A server that answers without end, or out of step, closes the way.
func TestStrangeServers(t *testing.T) {
	for name, talk := range map[string]func(net.Conn){
		"an answer without end": func(c net.Conn) {
			fmt.Fprint(c, "220 x\r\n")
			for {
				if _, err := fmt.Fprint(c, strings.Repeat("250-more\r\n", 1000)); err != nil {
					return
				}
			}
		},
		"answers out of step": func(c net.Conn) {
			fmt.Fprint(c, "220 x\r\n250 x\r\n250 ok\r\n250 ok\r\n250 extra\r\n250 extra\r\n")
			io.Copy(io.Discard, c)
		},
		"nothing": func(net.Conn) {},
		"an escape": func(c net.Conn) {
			fmt.Fprint(c, "451 \x1b]0;x\x07\r\n")
		},
	} {
		s, _ := Open("smtp://"+say(t, talk), Options{})
		if err := s.Send(context.Background(), newMail("a@b")); !notify.IsUnavailable(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
