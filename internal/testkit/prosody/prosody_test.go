package prosody

import (
	"bufio"
	"crypto/tls"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestServer(t *testing.T) {
	s := Start(t, Options{})
	const stream = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>"
	features := func(conn net.Conn) string {
		t.Helper()
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		conn.Write([]byte(stream))
		var text strings.Builder
		for r := bufio.NewReader(conn); !strings.Contains(text.String(), "</stream:features>"); {
			b, err := r.ReadByte()
			if err != nil {
				t.Fatalf("%v after %q", err, text.String())
			}
			text.WriteByte(b)
		}
		return text.String()
	}
	dial := func() net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	conn := dial()
	if text := features(conn); !strings.Contains(text, "starttls") || strings.Contains(text, "mechanism") {
		t.Error(text)
	}
	config := s.ClientTLS()
	config.ServerName = Domain
	direct, err := tls.Dial("tcp", s.TLS, config)
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close()
	if text := features(direct); !strings.Contains(text, "SCRAM-SHA-1<") || !strings.Contains(text, "SCRAM-SHA-256<") {
		t.Error(text)
	}
	s.Freeze()
	frozen := dial()
	frozen.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	frozen.Write([]byte(stream))
	if n, err := frozen.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Error("not frozen")
	}
	s.Thaw()
	features(dial())
	for certificate, want := range map[Certificate]string{
		WrongName: "not localhost", Untrusted: "unknown authority", Expired: "expired", Good: "",
	} {
		s.Certify(certificate)
		s.Restart()
		conn, err := tls.Dial("tcp", s.TLS, config)
		if err == nil {
			conn.Close()
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v, not %q", certificate, err, want)
		}
	}
	pid := s.cmd.Process.Pid
	if s.Stop(); syscall.Kill(pid, 0) == nil {
		t.Error("prosody still runs")
	}
	s.Stop() // again
}
