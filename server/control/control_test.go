package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/socket"
)

// serve runs a server whose Do is do, and returns its path.
func serve(t *testing.T, do func(context.Context, *Caller, *Request) *Answer) string {
	t.Helper()
	if !socket.PeerKnown {
		t.Skip(socket.ErrNoPeer)
	}
	if err := socket.SeesUsers(); err != nil {
		t.Skip(err)
	}
	dir, err := os.MkdirTemp("", "control")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "made", "control")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{path: 0o666, filepath.Dir(path): 0o755} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	s := &Server{Users: &Users{Domain: "example.org"}, Do: do, Log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return path
}

// me is the login of who runs the tests.
func me(t *testing.T) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

// A request comes through whole, with who asks, and so does its answer, of any
// bytes.
func TestCall(t *testing.T) {
	path := serve(t, func(_ context.Context, c *Caller, r *Request) *Answer {
		return &Answer{Output: fmt.Appendf(nil, "%s %v %s %q %v\xff\n", c.Login, c.Addresses, r.Command, r.Args, r.Flags), Error: "e", Hint: "h", Usage: true}
	})
	a, err := Call(t.Context(), path, &Request{Command: "show", Args: []string{"a b", "\xff\n"}, Flags: map[string]string{"json": "true"}})
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%s [%[1]s@example.org] show [\"a b\" \"�\\n\"] map[json:true]\xff\n", me(t))
	if string(a.Output) != want || a.Error != "e" || a.Hint != "h" || !a.Usage {
		t.Errorf("%q, %+v, want %q", a.Output, a, want)
	}
	if _, err := Call(t.Context(), path+"x", &Request{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a socket: %v", err)
	}
	if _, err := Call(t.Context(), path, &Request{Args: []string{strings.Repeat("x", maxRequest)}}); err == nil {
		t.Error("a request of any length")
	}
}

// What is no request is answered with an error, is never done, and nobody is kept
// from asking by it.
func TestHostile(t *testing.T) {
	done := make(chan string, 100)
	path := serve(t, func(_ context.Context, _ *Caller, r *Request) *Answer {
		if done <- r.Command; r.Command == "panic" {
			panic("no")
		}
		return &Answer{}
	})
	for name, sent := range map[string]string{
		"not JSON":  "hello\n",
		"a list":    "[]\n",
		"too long":  `{"command":"` + strings.Repeat("x", 2*maxRequest) + "\"}\n",
		"no end":    `{"command":"show"}`,
		"deep":      strings.Repeat("[", maxRequest-2) + "\n",
		"of others": `{"command":1}` + "\n",
	} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		conn.Write([]byte(sent))
		conn.(*net.UnixConn).CloseWrite()
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		answer := make([]byte, 1000)
		n, _ := conn.Read(answer)
		if !bytes.Contains(answer[:n], []byte(`"error":"`)) {
			t.Errorf("%s: %q", name, answer[:n])
		}
		conn.Close()
	}
	if len(done) > 0 {
		t.Errorf("%q was done", <-done)
	}
	if a, err := Call(t.Context(), path, &Request{Command: "panic"}); err != nil || !strings.Contains(a.Error, "panic") {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err := Call(t.Context(), path, &Request{Command: "show"}); err != nil || a.Error != "" {
		t.Errorf("after that: %+v, %v", a, err)
	}
}

// A user may have only so many connections. Further requests get an answer that says
// to try again, and each closed connection frees a place.
func TestBusy(t *testing.T) {
	path := serve(t, func(context.Context, *Caller, *Request) *Answer { return &Answer{} })
	var idle []net.Conn
	for range maxPerUser {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		idle = append(idle, conn)
	}
	// The server counts a connection a moment after the client has it.
	callUntil := func(isBusy bool) {
		for until := time.Now().Add(10 * time.Second); ; {
			a, err := Call(t.Context(), path, &Request{Command: "show"})
			if err == nil && strings.Contains(a.Error, "busy") == isBusy {
				return
			}
			if time.Now().After(until) {
				t.Fatalf("%+v, %v", a, err)
			}
		}
	}
	callUntil(true)
	idle[0].Close()
	callUntil(false)
	for _, conn := range idle[1:] {
		conn.Close()
	}
}

// Who keeps a connection is no reason not to end, and what is being done is
// answered.
func TestEnd(t *testing.T) {
	doing := make(chan bool)
	dir := t.TempDir()
	path := filepath.Join(dir, "c")
	l, err := Listen(path)
	if err != nil {
		t.Skip(err)
	}
	s := &Server{Users: &Users{}, Log: slog.New(slog.DiscardHandler), Do: func(ctx context.Context, _ *Caller, _ *Request) *Answer {
		close(doing)
		<-ctx.Done()
		return &Answer{Error: "ended"}
	}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Serve(ctx, l) }()
	idle, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	answers := make(chan *Answer)
	go func() {
		a, err := Call(context.Background(), path, &Request{Command: "show"})
		if err != nil {
			t.Error(err)
		}
		answers <- a
	}()
	<-doing
	cancel()
	if a := <-answers; a == nil || a.Error != "ended" {
		t.Errorf("%+v", a)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is there: %v", err)
	}
}

func TestUsers(t *testing.T) {
	me := me(t)
	u := &Users{Table: map[string][]string{me: {"Jane@Example.org", "jane@example.net"}, "no-such-login": {"tom@example.org"}}, Domain: "example.com"}
	for login, want := range map[string]string{me: "[Jane@Example.org jane@example.net]", "ida": "[ida@example.com]", "no-such-login": "[tom@example.org]"} {
		if got := fmt.Sprint(u.Addresses(login)); got != want {
			t.Errorf("%s: %s, want %s", login, got, want)
		}
	}
	if got := (&Users{}).Addresses(me); got != nil {
		t.Errorf("without a domain: %s", got)
	}
	for address, want := range map[string]bool{
		"jane@example.org": true, "jane@example.net": true, "JANE@example.org": true,
		"tom@example.org":                 false, // the table names no user of this machine
		me + "@example.com":               false, // it is in the table, with others
		"daemon@example.com":              true,
		"Daemon@EXAMPLE.com":              true,
		"daemon@example.org":              false,
		"no-such-user-at-all@example.com": false,
		"0@example.com":                   false, // a number is no login
		"-n@example.com":                  false,
		"@example.com":                    false,
		"":                                false,
	} {
		if got := u.Has(address); got != want && me != "daemon" {
			t.Errorf("%q: %v", address, got)
		}
	}
}

// FuzzReadRequest looks for a request that ends the service.
func FuzzReadRequest(f *testing.F) {
	f.Add([]byte(`{"command":"show","args":["0a1b"],"flags":{"json":"true"}}` + "\n"))
	f.Add([]byte("{}\n"))
	f.Add([]byte("[[[["))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := readRequest(bytes.NewReader(data))
		if (r == nil) == (err == nil) {
			t.Errorf("%v, %v", r, err)
		}
	})
}
