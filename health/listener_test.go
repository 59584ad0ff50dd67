package health

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/config"
	"vext/internal/testkit"
	"vext/policy"
	"vext/queue"
)

// The control socket is OK when it answers and users can reach it.
func TestCheckControl(t *testing.T) {
	dir, err := os.MkdirTemp("", "vext-control-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "c")
	c := config.Default(nil)
	k := &Checker{Queue: queue.New(testkit.State(t), policy.Policy{}, time.UTC, time.Now()), Config: c}
	want := func(level Level, text, hint string) {
		t.Helper()
		found := k.listeners(t.Context())
		if len(found) != 1 || found[0].Level != level || !strings.Contains(found[0].Text, text) || !strings.Contains(found[0].Hint, hint) {
			t.Errorf("%+v, want %v, %s, %s", found, level, text, hint)
		}
	}
	if found := k.listeners(t.Context()); len(found) > 0 {
		t.Errorf("not configured: %+v", found)
	}
	c.Control.Socket = path
	want(Warning, "no such file", "is vext serve running?")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte("{}\n"))
			conn.Read(make([]byte, 10))
			conn.Close()
		}
	}()
	want(Warning, "users can't reach it: "+dir, "chmod o+x "+dir)
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	want(OK, path+": answers", "")
}

// A hook that was added after the start of vext serve is a warning. When vext serve
// rejects everything, that is critical.
func TestCheckServe(t *testing.T) {
	c := newChecked(t)
	status := 404
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/hook/old") {
			w.WriteHeader(405)
			return
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	c.c.HTTP.Listen = server.Listener.Addr().String()
	c.c.Hooks = []config.Hook{{Name: "old", Secret: "x"}, {Name: "new", Secret: "x"}}
	c.want("http", OK, "answers")
	c.want("webhook old", OK, "")
	c.want("webhook new", Warning, "added after the start of vext serve")
	status = 503
	c.want("http", Critical, "everything is rejected")
	server.Close()
	c.want("http", Warning, "refused")
	c.want("webhook new", OK, "")
}

// LMTP rejects everything in its reply to MAIL.
func TestCheckLMTPReplaced(t *testing.T) {
	c := newChecked(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	replies := make(chan string, 1)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte(<-replies))
			conn.(*net.TCPConn).CloseWrite()
			conn.Read(make([]byte, 100))
			conn.Close()
		}
	}()
	c.c.LMTP.Listen = l.Addr().String()
	replies <- "220 x\r\n250 x\r\n250 2.0.0 ok\r\n221 bye\r\n"
	c.want("lmtp", OK, "no commit yet")
	replies <- "220 x\r\n250 x\r\n451 4.3.0 error\r\n221 bye\r\n"
	c.want("lmtp", Critical, "everything is rejected")
}

// Lost datagrams of irker's clients are a warning for a day.
func TestCheckLost(t *testing.T) {
	c := config.Default(policy.DefaultBranches)
	c.Irker.Listen = "127.0.0.1:1"
	state := testkit.State(t)
	at := func(now time.Time) (lost []Finding) {
		for _, f := range (&Checker{Queue: queue.New(state, policy.Policy{}, time.UTC, now), Config: c}).Check(t.Context()) {
			if strings.Contains(f.Text, "by UDP were lost") {
				lost = append(lost, f)
			}
		}
		return lost
	}
	if got := at(time.Now()); len(got) != 0 {
		t.Errorf("none was: %+v", got)
	}
	queue.New(state, policy.Policy{}, time.UTC, time.Now()).Spool.Lost(Irker)
	if got := at(time.Now()); len(got) != 1 || got[0].Level != Warning || got[0].What != "irker" || got[0].Hint == "" {
		t.Errorf("one was: %+v", got)
	}
	if got := at(time.Now().Add(25 * time.Hour)); len(got) != 0 {
		t.Errorf("a day later: %+v", got)
	}
}
