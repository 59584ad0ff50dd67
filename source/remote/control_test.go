package remote

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A controlled is a clone with a daemon and its control.
type controlled struct {
	*Control
	t       *testing.T
	daemon  *Daemon
	client  *Client
	running sync.WaitGroup
	end     context.CancelFunc
}

// control starts a daemon for a clone. before, unless nil, gets the control before the
// daemon runs.
func control(t *testing.T, dir string, before func(*Control)) *controlled {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &controlled{t: t, end: cancel}
	var err error
	w.daemon, err = Open(ctx, Options{
		Dir: dir, Log: slog.New(slog.DiscardHandler), Chatter: t.Output(), Now: time.Now,
		Emit: func(Event) {},
	})
	ok(t, err)
	w.Control, err = OpenControl(ctx, w.daemon, false, func(err error) { t.Error(err) })
	ok(t, err)
	if before != nil {
		before(w.Control)
	}
	w.client, err = Find(ctx, dir)
	ok(t, err)
	w.running.Go(func() {
		if err := errors.Join(w.daemon.Run(ctx), w.Control.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(w.stop)
	return w
}

func (w *controlled) stop() {
	w.end()
	w.running.Wait()
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write writes to the named pipe as a shell does.
func (w *controlled) write(text string) {
	w.t.Helper()
	file, err := os.OpenFile(filepath.Join(w.dir, controlName), os.O_WRONLY, 0)
	ok(w.t, err)
	_, err = file.WriteString(text)
	ok(w.t, errors.Join(err, file.Close()))
}

// An eventReader reads the lines of the socket.
type eventReader struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// connect connects to the socket, and writes nothing.
func (w *controlled) connect() *eventReader {
	w.t.Helper()
	conn, err := net.Dial("unix", socketPath(w.daemon.CommonDir()))
	ok(w.t, err)
	w.t.Cleanup(func() { conn.Close() })
	return &eventReader{w.t, conn, bufio.NewReader(conn)}
}

func (r *eventReader) line() string {
	r.t.Helper()
	r.conn.SetReadDeadline(time.Now().Add(deadline))
	line, err := r.in.ReadString('\n')
	ok(r.t, err)
	return strings.TrimSuffix(line, "\n")
}

func (r *eventReader) want(lines ...string) {
	r.t.Helper()
	for _, want := range lines {
		if got := r.line(); got != want {
			r.t.Fatalf("%q instead of %q", got, want)
		}
	}
}

// Every reader gets every event, whether it asks or not, and first what is open.
func TestReaders(t *testing.T) {
	dir, _ := workTree(t)
	w := control(t, dir, nil)
	first := w.connect()
	fmt.Fprintln(first.conn, `{"do":"watch"}`)
	w.readers.emit(Event{Kind: Connected, URI: "a"})
	first.want("CONNECTED a") // it asks before it is given
	w.readers.emit(Event{Kind: Connected, URI: "b"})
	w.readers.emit(Event{Kind: Syncing, URI: "b"})
	w.readers.emit(Event{Kind: Disconnected, URI: "a"})
	first.want("CONNECTED b", "SYNCING b", "DISCONNECTED a")
	second := w.connect()
	second.conn.(*net.UnixConn).CloseWrite()
	second.want("CONNECTED b", "SYNCING b")
	w.readers.emit(Event{Kind: Done, URI: "b", OK: true})
	for _, r := range []*eventReader{first, second} {
		r.want("DONESYNCING b 1")
	}
	first.conn.Close()
	w.readers.emit(Event{Kind: Warning, URI: "b", Text: "two words"})
	second.want("WARNING b two words")
	w.connect().want("CONNECTED b")
}

// A reader that stops is dropped, and neither the daemon nor another reader waits for it.
func TestStalledReader(t *testing.T) {
	dir, _ := workTree(t)
	w := control(t, dir, func(c *Control) { c.readers.stall = 50 * time.Millisecond })
	stalled, other := w.connect(), w.connect()
	w.readers.emit(Event{Kind: Connected, URI: "a"})
	stalled.want("CONNECTED a")
	other.want("CONNECTED a")
	long := strings.Repeat("x", 1000)
	for n := range 3000 {
		w.readers.emit(Event{Kind: Warning, URI: "a", Text: fmt.Sprint(n, long)})
		other.want(fmt.Sprintf("WARNING a %d%s", n, long))
	}
	left := func() int {
		w.readers.mu.Lock()
		defer w.readers.mu.Unlock()
		return len(w.readers.all)
	}
	for end := time.Now().Add(deadline); left() > 1 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	stalled.conn.SetReadDeadline(time.Now().Add(deadline))
	for n := 0; ; n++ {
		if _, err := stalled.in.ReadString('\n'); errors.Is(err, os.ErrDeadlineExceeded) || n == 3000 {
			t.Fatal("it was not dropped")
		} else if err != nil {
			break
		}
	}
	other.conn.Close()
}

// A reader that does not read, or has not finished its request, does not hold up the end.
func TestCloseWithReaders(t *testing.T) {
	dir, _ := workTree(t)
	w := control(t, dir, nil)
	w.readers.emit(Event{Kind: Connected, URI: "last"})
	w.connect()
	slow := w.connect()
	slow.conn.Write([]byte(`{"do":`))
	w.connect().line()
	for range 2000 {
		w.readers.emit(Event{Kind: Warning, URI: "a", Text: strings.Repeat("x", 1000)})
	}
	last := w.connect()
	last.want("CONNECTED last")
	w.readers.emit(Event{Kind: Disconnected, URI: "last"})
	begun := time.Now()
	w.stop()
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("it took %v to end", took)
	}
	last.want("DISCONNECTED last")
}

// What arrives at the pipe is handled line by line, whoever writes it.
func TestPipe(t *testing.T) {
	dir, _ := workTree(t)
	w := control(t, dir, nil)
	info, err := os.Stat(filepath.Join(dir, ".git", "vext", "control"))
	ok(t, err)
	if info.Mode() != fs.ModeNamedPipe|0o600 {
		t.Error(info.Mode())
	}
	events := w.connect()
	unknown := func(line string) string { return fmt.Sprintf("WARNING %s unknown command %q", dir, line) }
	w.write("one\ntwo\n")
	events.want(unknown("one"), unknown("two"))
	w.write("no end")
	events.want(unknown("no end"))
	w.write("RESUME\nthree\n")
	events.want(unknown("three"))
	w.write("CHANGED " + strings.Repeat("refs/heads/a ", 4000) + "\nfour\n") // beyond PIPE_BUF
	events.want(unknown("four"))
	w.write(strings.Repeat("x", 2*maxLine) + "\nfive\n")
	events.want(fmt.Sprintf("WARNING %s a line is longer than %d bytes and is ignored", dir, maxLine), unknown("five"))
	const writers, each = 8, 50
	var all sync.WaitGroup
	for n := range writers {
		all.Go(func() {
			for range each {
				w.write(fmt.Sprintf("writer %d\n", n))
			}
		})
	}
	seen := map[string]int{}
	for range writers * each {
		seen[events.line()]++
	}
	all.Wait()
	for n := range writers {
		if got := seen[unknown(fmt.Sprintf("writer %d", n))]; got != each {
			t.Errorf("%d lines of writer %d", got, n)
		}
	}
}

// What stands in the place of the pipe is replaced, and what a killed daemon has left.
func TestStaleFiles(t *testing.T) {
	for _, name := range []string{"a file", "a link", "a directory"} {
		t.Run(name, func(t *testing.T) {
			dir, _ := workTree(t)
			run := filepath.Join(dir, ".git", "vext")
			ok(t, os.Mkdir(run, 0o700))
			ok(t, os.WriteFile(filepath.Join(run, pidName), []byte("1\n"), 0o600))
			path := filepath.Join(run, controlName)
			switch name {
			case "a file":
				ok(t, os.WriteFile(path, []byte("STOP\n"), 0o644))
			case "a link":
				ok(t, os.Symlink("/etc/passwd", path))
			case "a directory":
				ok(t, os.Mkdir(path, 0o700))
			}
			w := control(t, dir, nil)
			ok(t, w.client.Send(t.Context(), "PAUSE"))
			w.stop()
			left, err := os.ReadDir(run)
			if ok(t, err); len(left) > 0 {
				t.Errorf("it has left %v", left)
			}
		})
	}
}

// A daemon whose files were removed ends, and leaves those of another one alone.
func TestLostLock(t *testing.T) {
	dir, _ := workTree(t)
	w := control(t, dir, nil)
	ok(t, os.RemoveAll(w.dir))
	other := control(t, dir, nil)
	w.running.Wait()
	ok(t, other.client.Send(t.Context(), "PAUSE"))
	other.write("RESUME\n")
	other.stop()
	last := control(t, dir, nil)
	ok(t, last.client.Send(t.Context(), "PAUSE"))
	ok(t, os.Rename(dir, filepath.Join(t.TempDir(), "moved")))
	last.running.Wait()
}

// A second daemon does not start, neither in the clone nor in a worktree of it.
func TestSecondDaemon(t *testing.T) {
	dir, _ := workTree(t)
	tree := filepath.Join(t.TempDir(), "tree")
	gitFor(t, dir, "worktree", "add", "-q", "-b", "other", tree)
	w := control(t, dir, nil)
	for _, at := range []string{dir, tree, filepath.Join(dir, ".git")} {
		d, err := Open(t.Context(), Options{Dir: at, Chatter: t.Output(), Now: time.Now})
		ok(t, err)
		begun := time.Now()
		_, err = OpenControl(t.Context(), d, false, nil)
		held := new(HeldError)
		if want := fmt.Sprintf("%s/.git is watched by process %d", dir, os.Getpid()); !errors.As(err, &held) || err.Error() != want {
			t.Errorf("%v instead of %s", err, want)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("it took %v", took)
		}
	}
	client, err := Find(t.Context(), tree)
	ok(t, err)
	ok(t, client.Send(t.Context(), "STOP"))
	w.running.Wait()
	control(t, tree, nil)
}

// Clones have paths of any length, with any characters.
func TestPaths(t *testing.T) {
	short := t.TempDir()
	ok(t, os.Chmod(short, 0o700))
	for name, path := range map[string]string{
		"blanks and newlines": "two words\n and a line\n",
		"at the limit":        strings.Repeat("d", 80),
		"long":                strings.Repeat(strings.Repeat("é", 100)+"/", 8) + "end",
	} {
		for _, runtime := range []string{"", short, "/dev/null", "/"} {
			t.Run(name+", runtime "+filepath.Base(runtime), func(t *testing.T) {
				t.Setenv("XDG_RUNTIME_DIR", runtime)
				dir := filepath.Join(t.TempDir(), path)
				ok(t, os.MkdirAll(dir, 0o700))
				gitFor(t, dir, "init", "-q")
				w := control(t, dir, nil)
				status, err := w.client.Status(t.Context())
				if ok(t, err); status.Dir != filepath.Join(dir, ".git") {
					t.Errorf("%q", status.Dir)
				}
				at := socketPath(w.daemon.CommonDir())
				if name == "long" && runtime == short && !strings.HasPrefix(at, short+"/vext/") {
					t.Error(at)
				}
				w.connect()
				w.stop()
				if _, err := os.Stat(at); err == nil {
					t.Errorf("%s is left", at)
				}
				if _, err := os.Stat(filepath.Dir(at)); err == nil && filepath.Dir(at) != w.dir {
					t.Errorf("%s is left", filepath.Dir(at))
				}
			})
		}
	}
}

// Whatever a client writes, it gets an answer, and the daemon lives.
func TestRequests(t *testing.T) {
	dir, _ := workTree(t)
	w := control(t, dir, nil)
	for ask, want := range map[string]string{
		"STOP\n":                                  `{"error":"request: it is not one line of JSON; commands are written to the pipe control"}`,
		`{"do":"other"}` + "\n":                   `{"error":"unknown request \"other\""}`,
		`{"do":"command","line":"x"}` + "\n":      `{"error":"unknown command \"x\""}`,
		`{"do":"command","line":""}` + "\n":       `{"error":"unknown command \"\""}`,
		`{"do":"command","line":"RESUME"}` + "\n": `{}`,
		strings.Repeat("x", 2*maxLine) + "\n":     `{"error":"request: too long"}`,
	} {
		r := w.connect()
		r.conn.Write([]byte(ask)) // it may be answered before it is read
		r.want(want)
	}
	for line, want := range map[string]string{
		"stop": `unknown command "stop"`, "PAUSE now": `malformed line "PAUSE now": PAUSE has no argument`,
		"CHANGED a\nSTOP": "a command is one line", strings.Repeat("x", maxLine): "a command has at most 65536 bytes",
	} {
		if err := w.client.Send(t.Context(), line); err == nil || err.Error() != want {
			t.Errorf("%v instead of %s", err, want)
		}
	}
}

// Watch prints the events until the daemon ends.
func TestWatch(t *testing.T) {
	dir, _ := workTree(t)
	w := control(t, dir, nil)
	w.readers.emit(Event{Kind: Connected, URI: "a"})
	var out strings.Builder
	done := make(chan error)
	go func() { done <- w.client.Watch(t.Context(), &out) }()
	for {
		w.readers.mu.Lock()
		n := len(w.readers.all)
		w.readers.mu.Unlock()
		if n > 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	w.readers.emit(Event{Kind: Disconnected, URI: "a"})
	w.stop()
	ok(t, <-done)
	if want := "CONNECTED a\nDISCONNECTED a\n"; out.String() != want {
		t.Errorf("%q", out.String())
	}
	err := w.client.Watch(t.Context(), &out)
	if want := "no vext remote watches " + filepath.Join(dir, ".git"); err == nil || err.Error() != want {
		t.Error(err)
	}
}
