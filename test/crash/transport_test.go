//go:build linux

package crash

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/emersion/go-smtp"
)

// A transport is one of vext's, and the mails that it has delivered.
type transport interface {
	via() string
	delivered() ([]string, error) // once all that was under way has come in
	// confirms reports whether vext must learn that a mail was accepted: it can be
	// killed, or the answer be lost, before it has.
	confirms() bool
	startsPrograms() bool
	close()
}

// maildir is written by vext itself. A mail has the same name at every try, so
// that none can be there twice.
type maildir struct{ dir string }

func openMaildir(w *world) transport { return &maildir{filepath.Join(w.root, "mail")} }

func (m *maildir) via() string          { return "maildir:" + m.dir }
func (m *maildir) confirms() bool       { return false }
func (m *maildir) startsPrograms() bool { return false }
func (m *maildir) close()               {}

func (m *maildir) delivered() ([]string, error) {
	files, err := filepath.Glob(filepath.Join(m.dir, "new", "*"))
	var mails []string
	for _, path := range files {
		data, readErr := os.ReadFile(path)
		if readErr != nil {
			return nil, readErr
		}
		mails = append(mails, string(data))
	}
	return mails, err
}

// sendmail is a script that takes whatever it is given for a mail, as
// sendmail(8) does, and appends it to a mailbox.
type sendmail struct{ program, mailbox string }

const (
	script = `#!/bin/sh
mail=$(cat)
printf '%%s%%s\n' '%s' "$mail" >> '%s'
`
	separator = "From somewhere\n"
)

func openSendmail(w *world) transport {
	s := &sendmail{filepath.Join(w.root, "sendmail"), filepath.Join(w.root, "mailbox")}
	w.write(s.program, fmt.Sprintf(script, separator, s.mailbox), 0o700)
	return s
}

func (s *sendmail) via() string          { return "sendmail:" + s.program }
func (s *sendmail) confirms() bool       { return true }
func (s *sendmail) startsPrograms() bool { return true }
func (s *sendmail) close()               {}

func (s *sendmail) delivered() ([]string, error) {
	data, err := os.ReadFile(s.mailbox)
	if os.IsNotExist(err) {
		return nil, nil
	}
	return strings.Split(string(data), separator)[1:], err
}

// server is an SMTP server that keeps what it is sent.
type server struct {
	addr   string
	server *smtp.Server

	mu       sync.Mutex
	ended    *sync.Cond // a session
	sessions int        // that are open
	mails    []string
}

func openServer(w *world) transport {
	w.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	s := &server{addr: listener.Addr().String()}
	s.ended = sync.NewCond(&s.mu)
	s.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		s.count(1)
		return &session{s}, nil
	}))
	s.server.Domain = "mail.example.org"
	s.server.ErrorLog = log.New(io.Discard, "", 0) // clients that were killed
	go s.server.Serve(listener)
	w.t.Cleanup(s.close)
	return s
}

func (s *server) via() string          { return "smtp://" + s.addr }
func (s *server) confirms() bool       { return true }
func (s *server) startsPrograms() bool { return false }
func (s *server) close()               { s.server.Close() }

// delivered waits for the sessions to end: a client that was killed may have
// sent a mail that is being read.
func (s *server) delivered() ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.sessions > 0 {
		s.ended.Wait()
	}
	return slices.Clone(s.mails), nil
}

func (s *server) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions += n
	s.ended.Broadcast()
}

// A session takes mails from anybody, for anybody.
type session struct{ server *server }

func (*session) Mail(string, *smtp.MailOptions) error { return nil }
func (*session) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (*session) Reset()                               {}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, string(data))
	return nil
}

func (s *session) Logout() error {
	s.server.count(-1)
	return nil
}

// reminders returns what was delivered. All must be whole.
func (w *world) reminders() []reminder {
	w.t.Helper()
	mails, err := w.out.delivered()
	if err != nil {
		w.errorf("%v", err)
	}
	var all []reminder
	for _, data := range mails {
		r, err := parse(data)
		if err != nil {
			w.errorf("delivered: %v", err)
			continue
		}
		all = append(all, r)
	}
	return all
}

// wereReminded checks that every commit was reminded of, once. A reminder may
// have gone out again in repeats cases, but not of the messages in recorded.
func (w *world) wereReminded(commits []commit, repeats int, recorded []string) {
	w.t.Helper()
	all := w.reminders()
	extra := 0
	for _, c := range commits {
		ids := map[string]int{}
		n := 0
		for _, r := range all {
			if r.isOf(c) {
				ids[r.id]++
				n++
			}
		}
		switch {
		case n == 0:
			w.errorf("there is no reminder of %s", c.id)
			continue
		case len(ids) > 1:
			w.errorf("the reminders of %s have different Message-IDs: %v", c.id, ids)
		case n > 1 && slices.Contains(recorded, c.id):
			w.errorf("%s was recorded as sent, and has been reminded of %d times", c.id, n)
		}
		extra += n - 1
	}
	if extra > repeats {
		w.errorf("%d reminders went out again, at most %d may", extra, repeats)
	}
}
