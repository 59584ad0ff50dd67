package test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/godbus/dbus/v5"

	"vext/internal/testkit"
)

// A watched is a clone whose remotes vext remote watches, and a repository from which
// others push.
type watched struct {
	*service
	dir, clone, pushing string
	events              string // a file
	cmd                 *exec.Cmd
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	s := newService(t, account{uint32(os.Getuid()), uint32(os.Getgid())})
	dir := openDir(t)
	w := &watched{service: s, dir: dir, clone: filepath.Join(dir, "clone"), pushing: filepath.Join(dir, "pushing"), events: filepath.Join(dir, "events")}
	t.Setenv("XDG_RUNTIME_DIR", testkit.Scratch(t))
	w.sh(dir, "git init -q --bare -b main jane/widget.git; git init -q -b main pushing; git -C pushing remote add origin ../jane/widget.git")
	w.push("Old")
	w.sh(dir, "git clone -q "+dir+"/jane/widget.git clone")
	return w
}

func (w *watched) sh(dir, script string) string {
	w.t.Helper()
	return program{dir: dir, env: []string{
		"GIT_AUTHOR_NAME=Jane", "GIT_AUTHOR_EMAIL=jane@example.org", "GIT_COMMITTER_NAME=Jane", "GIT_COMMITTER_EMAIL=jane@example.org",
	}}.run(w.t, "sh", "-ec", script).ok(w.t)
}

// push pushes a commit that asks for a reminder.
func (w *watched) push(subject string) {
	w.t.Helper()
	w.sh(w.pushing, fmt.Sprintf("git commit -q --allow-empty -m '%s' -m 'MFC after: 1 week'; git push -q origin main", subject))
}

// start starts vext remote; stop ends it.
func (w *watched) start(flags ...string) {
	w.t.Helper()
	file, err := os.Create(w.events)
	ok(w.t, err)
	defer file.Close()
	w.cmd = exec.Command(w.vext, append([]string{"--config", w.config, "--state", w.state, "remote", "--foreground", "--no-stdin", "-C", w.clone}, flags...)...)
	w.cmd.Stdout, w.cmd.Stderr = file, w.t.Output()
	ok(w.t, w.cmd.Start())
	w.t.Cleanup(w.stop)
	eventually(w.t, "the remote is connected", func() bool { return strings.Contains(read(w.t, w.events), "CONNECTED ") })
}

func (w *watched) stop() {
	w.t.Helper()
	if w.cmd != nil {
		ok(w.t, w.cmd.Process.Signal(syscall.SIGTERM))
		ok(w.t, w.cmd.Wait())
		w.cmd = nil
	}
}

// wantWaiting waits until these commits, and no others, have reminders or are spooled.
func (w *watched) wantWaiting(subjects ...string) {
	w.t.Helper()
	eventually(w.t, "reminders of "+strings.Join(subjects, ", "), func() bool {
		program{}.run(w.t, w.vext, "--config", w.config, "--state", w.state, "run").ok(w.t)
		var got []string
		for _, one := range w.list() {
			got = append(got, strings.TrimPrefix(one.Repository+" "+one.Subject, "widget "))
		}
		slices.Sort(got)
		return slices.Equal(got, subjects)
	})
	if failed := w.list("--failed"); len(failed) > 0 {
		w.t.Errorf("quarantined: %+v", failed)
	}
}

func (w *watched) check() result {
	return program{}.run(w.t, w.vext, "--config", w.config, "--state", w.state, "check")
}

// What vext remote fetches is reminded of, once, also where vext follow finds it, and where
// the user has fetched it while nothing ran.
func TestRemoteRequests(t *testing.T) {
	w := newWatched(t)
	w.start("--requests")
	w.push("New")
	w.wantWaiting("New")
	w.stop()
	w.push("While it did not run")
	w.sh(w.clone, "git fetch -q")
	w.start("--requests")
	w.wantWaiting("New", "While it did not run")
	contains(t, w.check().stdout, "remote widget")
	write(t, w.config, 0o644, read(t, w.config)+fmt.Sprintf("[[repository]]\nname = \"widget\"\nurl = %q\n", w.dir+"/jane/widget.git"))
	w.stop()
	w.start("--requests")
	follow := func() {
		program{}.run(t, w.vext, "--config", w.config, "--state", w.state, "follow", "--once").ok(t)
	}
	follow()
	w.push("Third")
	w.wantWaiting("New", "Third", "While it did not run")
	follow()
	w.push("Fourth")
	follow()
	w.wantWaiting("Fourth", "New", "Third", "While it did not run")
	contains(t, w.check().stdout, "follow widget")
}

// vext check notices that requests can't be stored, and that they can again.
func TestRemoteRequestsFail(t *testing.T) {
	w := newWatched(t)
	w.start("--requests")
	w.push("New")
	w.wantWaiting("New")
	spool := filepath.Join(w.state, "spool")
	ok(t, os.Rename(spool, spool+".away"))
	write(t, spool, 0o644, "not a directory")
	w.push("Second")
	eventually(t, "vext check notices it", func() bool {
		result := w.check()
		return result.status != 0 && strings.Contains(result.stdout, "remote widget") && strings.Contains(result.stdout, "RELOAD")
	})
	ok(t, os.Remove(spool))
	ok(t, os.Rename(spool+".away", spool))
	w.wantWaiting("New", "Second")
	if result := w.check(); strings.Contains(result.stdout, "RELOAD") {
		t.Error(result.stdout)
	}
}

// A webhook that vext serve receives has a remote that is polled fetched at once.
func TestRemoteWebhook(t *testing.T) {
	w := newWatched(t)
	address, hooks := freeAddress(t), freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	ok(t, err)
	git := exec.Command("git", "daemon", "--base-path="+w.dir, "--export-all", "--reuseaddr", "--listen=127.0.0.1", "--port="+port)
	git.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	ok(t, git.Start())
	t.Cleanup(func() { syscall.Kill(-git.Process.Pid, syscall.SIGTERM); git.Wait() })
	eventually(t, "git daemon listens", func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	w.sh(w.clone, "git remote set-url origin git://"+address+"/jane/widget.git; git config remote.origin.vextInterval 1h")
	write(t, w.config, 0o644, read(t, w.config)+fmt.Sprintf("[http]\nlisten = %q\n[[hook]]\nname = \"forge\"\nsecret = %q\n", hooks, hookSecret))
	newDaemon(t, w.service, freeAddress(t))
	w.start()
	runtime := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "vext", "remotes")
	eventually(t, "vext serve can find it", func() bool { files, _ := os.ReadDir(runtime); return len(files) == 1 })
	tell := func(repository string) {
		text := fmt.Sprintf(`{"ref": "refs/heads/main", "before": "%040d", "after": "%s", "commits": [], "pusher": {}, "repository": {"full_name": "x", "clone_url": %q}}`,
			0, strings.TrimSpace(w.sh(w.pushing, "git rev-parse main")), repository)
		if status := push(t, hooks, "forge", text, hookSecret); status != 200 {
			t.Fatalf("status %d", status)
		}
	}
	for _, spelling := range []string{"https://127.0.0.1/jane/widget", "git@127.0.0.1:jane/widget.git"} {
		w.push("New")
		tell("https://127.0.0.1/jane/other.git")
		before := strings.Count(read(t, w.events), "DONESYNCING")
		tell(spelling)
		eventually(t, "it is fetched", func() bool { return strings.Count(read(t, w.events), "DONESYNCING") == before+1 })
	}
}

// A desk stands in for the service that shows notifications.
type desk struct{ shown chan string }

func (d *desk) GetCapabilities() ([]string, *dbus.Error) { return []string{"body"}, nil }

func (d *desk) Notify(_ string, _ uint32, _, title, body string, _ []string, _ map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	d.shown <- title + "\n" + body
	return 1, nil
}

// New commits are shown on the desktop, and a daemon without one works all the same.
func TestRemoteNotify(t *testing.T) {
	testkit.Program(t, "dbus-daemon")
	w := newWatched(t)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	fetched := func(n int) {
		t.Helper()
		eventually(t, "it is fetched", func() bool { return strings.Count(read(t, w.events), "DONESYNCING") == n })
	}
	w.start("--notify")
	w.push("Without a bus")
	fetched(1)
	path := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "bus")
	bus := exec.Command("dbus-daemon", "--session", "--nofork", "--address=unix:path="+path)
	ok(t, bus.Start())
	t.Cleanup(func() { bus.Process.Kill(); bus.Wait() })
	var conn *dbus.Conn
	eventually(t, "the bus listens", func() (is bool) {
		var err error
		conn, err = dbus.Connect("unix:path=" + path)
		return err == nil
	})
	defer conn.Close()
	d := &desk{make(chan string, 10)}
	ok(t, conn.Export(d, "/org/freedesktop/Notifications", "org.freedesktop.Notifications"))
	_, err := conn.RequestName("org.freedesktop.Notifications", dbus.NameFlagDoNotQueue)
	ok(t, err)
	w.stop() // so that no pause begins with the first notification, which was not shown
	w.start("--notify")
	w.sh(w.pushing, "git commit -q --allow-empty -m 'First <b>'; git commit -q --allow-empty -m Second; git push -q origin main")
	fetched(1)
	if got, want := <-d.shown, "clone: 2 new commits on origin/main\nFirst <b>\nSecond"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for range 3 {
		w.push("More")
	}
	// In the pause after the first one, they are shown together; on a slow machine some come
	// after it.
	if got := <-d.shown; !strings.HasPrefix(got, "clone: ") || !strings.Contains(got, " on origin/main\nMore") {
		t.Errorf("%q", got)
	}
	if n := len(d.shown); n > 1 {
		t.Errorf("%d more", n)
	}
}
