package remote

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/remotedaemon"
)

// Each line is of the protocol, in the order that it promises, up to the end by STOP.
func TestProtocol(t *testing.T) {
	eachFar(t, func(t *testing.T, w *remotedaemon.World) {
		d := w.Start(remotedaemon.Vext(t))
		d.Connected()
		w.Commit("main")
		d.Synced()
		d.Send("PAUSE", "PAUSE")
		d.Expect("DISCONNECTED " + w.URI())
		w.Commit("main")
		d.Quiet(2 * still)
		d.Send("RESUME", "RESUME")
		d.Connected()
		d.Synced()
		w.Equal()
		d.Send("LOSTNET", "LOSTNET", "PAUSE")
		d.Expect("DISCONNECTED " + w.URI())
		d.Quiet(still)
		d.Send("RESUME")
		d.Connected()
		d.Send("RELOAD", "CHANGED", "CHANGED refs/heads/x", "RESUME")
		d.Quiet(still)
		d.Stop()
	})
}

// A line that is no command is answered by one WARNING, and survived.
func TestUnknownLines(t *testing.T) {
	t.Parallel()
	w := remotedaemon.New(t, remotedaemon.Options{})
	d := w.Start(remotedaemon.Vext(t))
	d.Connected()
	for _, line := range []string{"", "pause", "PAUSE x", "STOP now", " RESUME", "HELLO\x1b[2J\x00", "CHANGEDx", strings.Repeat("x", 1<<20)} {
		d.Send(line)
		if got := d.Seek("WARNING ", remotedaemon.Patience).Text; len(got) > 1000 || strings.ContainsAny(got, "\x00\x1b") {
			t.Errorf("%.80q: %q", line, got)
		}
	}
	d.Quiet(still)
	w.Commit("main")
	d.Synced()
	d.Stop()
}

// The end of standard input ends the daemon as STOP does; SIGTERM, too, and with
// --no-stdin only that.
func TestEnds(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"EOF", "SIGTERM", "SIGINT", "--no-stdin"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			w := remotedaemon.New(t, remotedaemon.Options{})
			var args []string
			if end == "--no-stdin" {
				args = []string{end}
			}
			d := w.Start(remotedaemon.Vext(t), args...)
			d.Connected()
			switch end {
			case "EOF":
				d.CloseStdin()
			case "SIGINT":
				d.Signal(syscall.SIGINT)
			case "SIGTERM":
				d.Signal(syscall.SIGTERM)
			default:
				d.CloseStdin()
				w.Commit("main")
				d.Synced()
				d.Signal(syscall.SIGTERM)
			}
			d.Ended(0, 2*time.Second)
		})
	}
}

// --seed-order prints the flag of DONESYNCING before the URI.
func TestSeedOrder(t *testing.T) {
	t.Parallel()
	w := remotedaemon.New(t, remotedaemon.Options{})
	d := w.Start(remotedaemon.Vext(t), "--seed-order")
	d.Connected()
	w.Commit("main")
	d.Expect("SYNCING "+w.URI(), "DONESYNCING 1 "+w.URI())
	d.CloseStdin()
	if !testkit.Eventually(remotedaemon.Patience, d.Exited) {
		t.Error("it goes on")
	}
}

// A URI with blanks is percent-encoded, and a controller that stops reading does not
// stop the daemon from fetching.
func TestBlanks(t *testing.T) {
	t.Parallel()
	w := remotedaemon.New(t, remotedaemon.Options{})
	w.Sh("ln -s server.git 'a b%.git'")
	w.InLocal("git remote set-url origin '" + w.Dir + "/a b%.git'")
	d := w.Start(remotedaemon.Vext(t))
	line := d.Seek("CONNECTED ", remotedaemon.Patience)
	if !strings.Contains(line.Text, "a%20b") {
		t.Error(line.Text)
	}
	w.Commit("main")
	d.Seek("DONESYNCING ", remotedaemon.Patience)
	w.Equal()
	d.Stop()
}

// What is fetched touches neither the work tree nor the branch that is checked out, nor
// FETCH_HEAD; hooks of the clone and of the remote are not run.
func TestTouchesNothing(t *testing.T) {
	t.Parallel()
	w := remotedaemon.New(t, remotedaemon.Options{})
	hook := "#!/bin/sh\necho ran >>" + w.Dir + "/hooked\n"
	for _, dir := range []string{"local/.git", "server.git"} {
		for _, name := range []string{"post-checkout", "post-merge", "pre-push", "post-upload", "pre-auto-gc"} {
			if err := os.WriteFile(w.Dir+"/"+dir+"/hooks/"+name, []byte(hook), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.InLocal("echo changed >file; echo mine >.git/FETCH_HEAD; ls -l >../before; git rev-parse HEAD >>../before; git status --porcelain >>../before; cat .git/FETCH_HEAD >>../before")
	d := w.Start(remotedaemon.Vext(t))
	d.Connected()
	w.Push("echo two >file; git commit -qam two; git push -q origin main")
	d.Synced()
	d.Stop()
	w.InLocal("ls -l >../after; git rev-parse HEAD >>../after; git status --porcelain >>../after; cat .git/FETCH_HEAD >>../after; diff ../before ../after")
	if _, err := os.Stat(w.Dir + "/hooked"); err == nil {
		t.Error("a hook was run")
	}
}
