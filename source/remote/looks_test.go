package remote

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/internal/socket"
	"vext/internal/testkit"
)

func init() { machineDir = func() string { return "/nonexistent/vext/remotes" } }

// A push of which vext serve knows is fetched, by whichever spelling, and that of another
// repository is not.
func TestLooks(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", testkit.Scratch(t))
	f := newFixture(t)
	shell(t, f.clone, "git config url."+f.server+".insteadOf https://git.example.org/jane/widget.git; git remote set-url origin https://git.example.org/jane/widget.git")
	r := f.start()
	r.connected()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan bool)
	MakeLookDir()
	dir := lookDirs()[1]
	sum := sha256.Sum256([]byte(r.d.CommonDir()))
	killed, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, fmt.Sprintf("%x-1", sum[:8])), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	killed.SetUnlinkOnClose(false)
	killed.Close()
	isThere := func() bool {
		sockets := lookSockets()
		return len(sockets) == 1 && !strings.HasSuffix(sockets[0], "-1")
	}
	go func() { r.d.ServeLooks(ctx); close(ended) }()
	for deadline := time.Now().Add(within); !isThere() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	for _, names := range [][]string{
		{"jane/widget", "https://git.example.org/jane/widget"}, {"git@git.example.org:Jane/widget.git"}, {"JANE/WIDGET"},
		{"ssh://git@git.example.org:2222/jane/widget.git"}, {"x", f.server},
	} {
		f.other("git commit -q --allow-empty -m next; git push -q origin main")
		if NotifyRemotes(ctx, names) == 0 {
			t.Fatal("nobody was notified")
		}
		r.synced("1")
	}
	f.other("git commit -q --allow-empty -m next; git push -q origin main")
	NotifyRemotes(ctx, []string{"https://git.example.org/jane/other", "tom/widget", "widget"})
	r.quiet()
	cancel()
	<-ended
	if files, _ := os.ReadDir(dir); len(files) > 0 {
		t.Errorf("at the end: %v", files)
	}
}

// However often a stranger asks, a remote is looked at once in a pause, and once after it.
func TestLooksAreLimited(t *testing.T) {
	f := newFixture(t)
	counted := make(chan bool, 1000)
	r := f.start(func(d *Daemon) {
		d.choose = func(*Remote) []transport { return []transport{&counting{counted}} }
	})
	r.expect("CONNECTED " + f.server)
	<-counted
	l := looks{d: r.d, pause: 50 * time.Millisecond, asked: make(chan string)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan bool)
	go func() { l.run(ctx); close(ended) }()
	begun := time.Now()
	for range 1000 {
		l.take(ctx, lookRequest{Nonce: "x", Repositories: []string{digest("x", places(f.server)[1])}})
	}
	most := int(time.Since(begun)/l.pause) + 2
	for range 2 {
		<-counted // the first, and one after the pause
	}
	cancel()
	<-ended
	if n := len(counted) + 2; n > most {
		t.Errorf("%d looks", n)
	}
}

// A counting transport counts how often a remote is listed.
type counting struct{ listed chan bool }

func (*counting) String() string { return "counting" }

func (*counting) watch(ctx context.Context, ready, _ func()) error {
	ready()
	<-ctx.Done()
	return ctx.Err()
}

func (c *counting) list(context.Context, []string) (refs, error) {
	c.listed <- true
	return refs{}, nil
}

// A request shows a stranger no name; a socket that a dead daemon left is removed, one that
// never reads does no harm, and neither does any other file.
func TestNotifyStrangers(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", testkit.Scratch(t))
	MakeLookDir()
	dir := lookDirs()[1]
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("%v, %v", info, err)
	}
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "dead"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	os.WriteFile(filepath.Join(dir, "file"), nil, 0o600)
	stranger, err := socket.Listen(filepath.Join(dir, "stranger"), 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	deaf, err := socket.Listen(filepath.Join(dir, "deaf"), 0o666) // accepts nothing
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	received := make(chan lookRequest, 1)
	go func() {
		conn, err := stranger.AcceptUnix()
		if err != nil {
			return
		}
		defer conn.Close()
		var request lookRequest
		socket.Read(conn, maxLookRequest, &request)
		received <- request
	}()
	if n := NotifyRemotes(t.Context(), []string{"jane/widget"}); n != 2 {
		t.Errorf("notified %d", n)
	}
	request := <-received
	if !slices.Equal(request.Repositories, []string{digest(request.Nonce, "jane/widget")}) || len(request.Nonce) < 20 {
		t.Errorf("%+v", request)
	}
	if _, err := os.Lstat(filepath.Join(dir, "dead")); err == nil {
		t.Error("a dead socket stays")
	}
}
