package remote

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/remotedaemon"
)

// The daemon is killed at any point: its processes end with it, no lock is left, and the
// next one starts and misses nothing.
func TestKilled(t *testing.T) {
	eachFar(t, func(t *testing.T, w *remotedaemon.World) {
		seed := uint64(time.Now().UnixNano())
		t.Log("seed", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		for range times(4, 40) {
			d := w.Start(remotedaemon.Vext(t))
			d.Connected()
			w.Commit("main")
			w.Push("git push -q origin HEAD:refs/heads/x HEAD~1:refs/heads/y")
			time.Sleep(time.Duration(random.IntN(150)) * time.Millisecond)
			d.Kill()
			var left []remotedaemon.Process
			if !testkit.Eventually(10*time.Second, func() bool { left = w.Processes(); return len(left) == 0 }) {
				t.Errorf("left: %+v", left)
			}
			d.Check()
			noLocks(t, w)
		}
		d := w.Start(remotedaemon.Vext(t))
		d.Connected()
		w.Equal()
		w.Commit("main")
		d.Seek("DONESYNCING ", remotedaemon.Patience)
		w.Equal()
		d.Stop()
	})
}

// Its children are killed at any point: it goes on and misses nothing.
func TestChildrenKilled(t *testing.T) {
	eachFar(t, func(t *testing.T, w *remotedaemon.World) {
		seed := uint64(time.Now().UnixNano())
		t.Log("seed", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		d := w.Start(remotedaemon.Vext(t))
		d.Connected()
		stop, killed := make(chan bool), make(chan []string)
		go func() {
			var all []string
			for {
				select {
				case <-stop:
					killed <- all
					return
				case <-time.After(time.Duration(random.IntN(100)) * time.Millisecond):
					all = append(all, killChild(w, d, random)...)
				}
			}
		}()
		for range times(8, 80) {
			w.Commit("main")
			time.Sleep(100 * time.Millisecond)
		}
		close(stop)
		t.Logf("killed: %.60q", <-killed)
		w.Equal()
		noLocks(t, w)
		w.Commit("main")
		w.Equal()
		fetched(d)
		d.Stop()
	})
}

// killChild kills a child of the daemon, if it has one, or a child of one.
func killChild(w *remotedaemon.World, d *remotedaemon.Daemon, random *rand.Rand) []string {
	all := slices.DeleteFunc(w.Processes(), func(p remotedaemon.Process) bool {
		return p.PID == d.PID || p.IsZombie || !strings.Contains(p.Command, "git")
	})
	if len(all) == 0 {
		return nil
	}
	p := all[random.IntN(len(all))]
	syscall.Kill(p.PID, syscall.SIGKILL)
	return []string{p.Command}
}

// times returns the short number, in make test, or the long one.
func times(short, long_ int) int { return int(long(time.Duration(short), time.Duration(long_))) }

func noLocks(t *testing.T, w *remotedaemon.World) {
	t.Helper()
	if locks := w.InLocal("find .git -name '*.lock' ! -path '.git/annex/*'"); locks != "" {
		t.Errorf("left: %s", filepath.Clean(locks))
	}
}
