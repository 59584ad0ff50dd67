package remote

import (
	"slices"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/remotedaemon"
)

// silence is the time without an event after which a script goes on.
const silence = 600 * time.Millisecond

// A script is one for all daemons. It returns when nothing happens any more.
type script struct {
	name string
	run  func(w *remotedaemon.World, d *remotedaemon.Daemon)
}

// scripts are those for which git-annex and vext print the same events.
var scripts = []script{
	{"connect, push, stop", func(w *remotedaemon.World, d *remotedaemon.Daemon) {
		w.Commit("main")
		wait(d, "DONESYNCING ")
		w.Push("git checkout -q --detach; git commit -q --allow-empty -m x; git push -q origin HEAD:refs/heads/topic HEAD:refs/tags/v1")
		wait(d, "DONESYNCING ")
	}},
	{"pause, push, resume", func(w *remotedaemon.World, d *remotedaemon.Daemon) {
		w.InServer("git pack-refs --all") // git-annex misses a push while there are other loose refs
		d.Send("RESUME", "PAUSE", "PAUSE")
		wait(d, "DISCONNECTED ")
		w.Commit("main")
		d.Send("RESUME", "RESUME")
		wait(d, "DONESYNCING ")
		d.Send("LOSTNET", "LOSTNET")
		wait(d, "DISCONNECTED ")
		d.Send("RESUME")
		wait(d, "CONNECTED ")
	}},
	{"changed", func(_ *remotedaemon.World, d *remotedaemon.Daemon) {
		d.Send("CHANGED", "CHANGED refs/heads/x", "CHANGED refs/heads/main refs/heads/y")
	}},
	{"reload", func(w *remotedaemon.World, d *remotedaemon.Daemon) {
		w.Sh("git clone -q --bare server.git second.git; git -C second.git annex init -q second")
		second := strings.Replace(w.URL(), "server.git", "second.git", 1)
		// Fetched before, because vext notices a remote without RELOAD, too.
		w.InLocal("git fetch -q " + second + " '+refs/heads/*:refs/remotes/second/*'; git remote add second " + second)
		d.Send("RELOAD")
		wait(d, "CONNECTED ")
		d.Send("RELOAD")
		time.Sleep(silence)
		w.InLocal("git config remote.second.annex-sync false")
		d.Send("RELOAD")
		wait(d, "DISCONNECTED ")
		w.InLocal("git config remote.second.annex-sync true")
		d.Send("RELOAD")
		wait(d, "CONNECTED ")
		w.InLocal("git remote remove second")
		d.Send("RELOAD")
		wait(d, "DISCONNECTED ")
		d.Send("PAUSE")
		wait(d, "DISCONNECTED ")
		w.InLocal("git remote add second x:y")
		d.Send("RELOAD")
		w.InLocal("git remote remove second")
		d.Send("RELOAD", "RESUME")
		wait(d, "CONNECTED ")
		w.Commit("main")
		wait(d, "DONESYNCING ")
	}},
	{"sshd killed and restarted", func(w *remotedaemon.World, d *remotedaemon.Daemon) {
		w.InServer("git pack-refs --all")
		w.SSH.Stop()
		wait(d, "DISCONNECTED ")
		w.Commit("main")
		w.SSH.Restart()
		wait(d, "DONESYNCING ")
		w.Commit("main")
		wait(d, "DONESYNCING ")
	}},
}

// wait waits for an event, skipping others, and then until there is none.
func wait(d *remotedaemon.Daemon, event string) {
	d.Seek(event, remotedaemon.Patience)
	for ok := true; ok; _, ok = d.Next(silence) {
	}
}

// events runs a script and returns what a daemon has printed, without WARNINGs and
// without further DISCONNECTED: git-annex prints one for each failed attempt.
func events(t *testing.T, command []string, s script) []string {
	t.Helper()
	w := remotedaemon.New(t, remotedaemon.Options{SSH: true, Annex: true})
	w.InServer("git pack-refs --all") // git-annex misses what is pushed while it reports loose refs
	d := w.Start(command)
	d.Connected()
	time.Sleep(silence)
	s.run(w, d)
	time.Sleep(silence)
	d.Send("STOP")
	if !testkit.Eventually(remotedaemon.Patience, d.Exited) {
		t.Fatal("it does not end at STOP")
	}
	var all []string
	for _, line := range d.Lines() {
		event := strings.NewReplacer(w.Dir, "DIR").Replace(line.Text)
		if !strings.HasPrefix(event, "WARNING ") && (!strings.HasPrefix(event, "DISCONNECTED ") || !slices.Equal(all[max(0, len(all)-1):], []string{event})) {
			all = append(all, event)
		}
	}
	return all
}

// vext remote prints the same events as git-annex, so whoever drives one can drive the
// other.
func TestSameEventsAsGitAnnex(t *testing.T) {
	t.Parallel()
	for _, s := range scripts {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			annex := remotedaemon.Annex(t)
			var theirs []string
			t.Run("git-annex", func(t *testing.T) { theirs = events(t, annex, s) })
			if t.Failed() {
				return
			}
			t.Run("vext", func(t *testing.T) {
				if ours := events(t, remotedaemon.Vext(t), s); !slices.Equal(ours, theirs) {
					t.Errorf("vext has\n%s\ngit-annex has\n%s", strings.Join(ours, "\n"), strings.Join(theirs, "\n"))
				}
			})
		})
	}
}
