package mail

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/notify"
)

// talk plays a mail server up to the final dot, and then does what after says.
func talk(after func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		r := bufio.NewReader(c)
		fmt.Fprint(c, "220 x\r\n")
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if !strings.HasPrefix(line, "DATA") {
				fmt.Fprint(c, "250 x\r\n")
				continue
			}
			fmt.Fprint(c, "354 x\r\n")
			for line != ".\r\n" {
				if line, err = r.ReadString('\n'); err != nil {
					return
				}
			}
			after(c)
			return
		}
	}
}

// After the final dot only an answer says what became of a mail.
func TestNoAnswer(t *testing.T) {
	for _, test := range []struct {
		name                     string
		after                    func(net.Conn)
		unknown, refused, closed bool
	}{
		{"the connection ends", func(net.Conn) {}, true, false, false},
		{"the connection is reset", func(c net.Conn) { c.(*net.TCPConn).SetLinger(0) }, true, false, false},
		{"half an answer", func(c net.Conn) { fmt.Fprint(c, "25") }, true, false, false},
		{"no SMTP", func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\n") }, true, false, false},
		{"the answer to something else", func(c net.Conn) { fmt.Fprint(c, "354 go on\r\n") }, true, false, true},
		{"closing", func(c net.Conn) { fmt.Fprint(c, "421 closing\r\n") }, false, false, false},
		{"later", func(c net.Conn) { fmt.Fprint(c, "451 later\r\n") }, false, false, false},
		{"never", func(c net.Conn) { fmt.Fprint(c, "554 never\r\n") }, false, true, false},
	} {
		s, _ := Open("smtp://"+say(t, talk(test.after)), Options{})
		err := s.Send(context.Background(), newMail("a@b"))
		if err == nil || notify.IsUnconfirmed(err) != test.unknown || notify.IsPermanent(err) != test.refused || notify.IsUnavailable(err) != test.closed {
			t.Errorf("%s: unknown %v, refused %v, closed %v: %v", test.name, notify.IsUnconfirmed(err), notify.IsPermanent(err), notify.IsUnavailable(err), err)
		}
	}
	// Before the dot, or without DATA, nothing can have been taken.
	for name, talk := range map[string]func(net.Conn){
		"before DATA": func(c net.Conn) {
			fmt.Fprint(c, "220 x\r\n250 x\r\n250 x\r\n250 x\r\n")
			bufio.NewReader(c).ReadString('\n')
		},
	} {
		s, _ := Open("smtp://"+say(t, talk), Options{})
		if err := s.Send(context.Background(), newMail("a@b")); err == nil || notify.IsUnconfirmed(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A service that ends before the server's answer does not know either.
func TestNoAnswerCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	s, _ := Open("smtp://"+say(t, talk(func(net.Conn) { cancel(); <-ended })), Options{})
	err := s.Send(ctx, newMail("a@b"))
	close(ended)
	if !notify.IsUnconfirmed(err) {
		t.Errorf("%v", err)
	}
}

// A program that is killed may have sent what it has read to its end.
func TestSendmailKilled(t *testing.T) {
	script := filepath.Join(t.TempDir(), "sendmail")
	s := &sendmail{path: script, limit: time.Minute}
	for _, test := range []struct {
		script  string
		unknown bool
	}{
		{"cat >/dev/null; kill -9 $$", true},
		{"cat >/dev/null; exit 137", true},
		{"kill -9 $$", false},
		{"cat >/dev/null; exit 75", false},
		{"cat >/dev/null; exit 67", false},
	} {
		writeScript(t, script, test.script)
		if err := s.Send(context.Background(), newMail("a@b")); err == nil || notify.IsUnconfirmed(err) != test.unknown {
			t.Errorf("%s: %v", test.script, err)
		}
	}
}

// A program that hangs is killed with what it has started, and no other mail
// waits for it.
func TestSendmailHangs(t *testing.T) {
	dir := t.TempDir()
	script, pids := filepath.Join(dir, "sendmail"), filepath.Join(dir, "pids")
	s := &sendmail{path: script, limit: 2 * time.Second}
	for read, unknown := range map[string]bool{"cat >/dev/null": true, ":": false} {
		writeScript(t, script, read+"; sleep 60 & echo $! >"+pids+"; wait")
		begun := time.Now()
		err := s.Send(context.Background(), newMail("a@b"))
		if !notify.IsUnavailable(err) || notify.IsUnconfirmed(err) != unknown || time.Since(begun) > 30*time.Second {
			t.Errorf("%s: after %s: %v", read, time.Since(begun), err)
		}
		var pid int
		data, _ := os.ReadFile(pids)
		if _, err := fmt.Sscan(string(data), &pid); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); !isGone(pid); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: process %d lives on", read, pid)
			}
		}
	}
}

// isGone reports whether a process has ended, though nobody may have asked how.
func isGone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}
