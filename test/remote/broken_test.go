package remote

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/remotedaemon"
)

// A second daemon in a clone, or in a worktree of it, says who the first is.
func TestSecondDaemon(t *testing.T) {
	t.Parallel()
	w := remotedaemon.New(t, remotedaemon.Options{})
	w.InLocal("git worktree add -q --detach ../tree")
	d := w.Start(remotedaemon.Vext(t))
	d.Connected()
	for _, dir := range []string{"local", "tree", "local/.git"} {
		begun := time.Now()
		cmd := w.Command(dir, remotedaemon.Vext(t)[0], "remote", "--foreground", "--no-stdin")
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), fmt.Sprint(d.PID)) {
			t.Errorf("%s: %v: %s", dir, err, out)
		}
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("%s: it took %s", dir, took)
		}
	}
	w.Commit("main")
	d.Synced()
	d.Kill()
	d = w.Start(remotedaemon.Vext(t)) // a lock of a process that was killed
	d.Connected()
	d.Stop()
}

// A user who packs, collects and fetches all the time is not in the way.
func TestBusyClone(t *testing.T) {
	t.Parallel()
	w := remotedaemon.New(t, remotedaemon.Options{})
	d := w.Start(remotedaemon.Vext(t))
	d.Connected()
	end := time.Now().Add(long(5*time.Second, time.Minute))
	busy := make(chan error)
	go func() {
		for time.Now().Before(end) {
			w.Try("local", "git gc -q --prune=now; git fetch -q --all; git pack-refs --all")
		}
		close(busy)
	}()
	for n := 0; time.Now().Before(end); n++ {
		w.Commit(fmt.Sprint("b", n%5))
	}
	<-busy
	w.Equal()
	fetched(d)
	w.InLocal("git fsck --connectivity-only")
	d.Stop()
}

// long returns the short time, in make test, or the long one.
func long(short, long time.Duration) time.Duration {
	if os.Getenv("VEXT_TEST_LONG") != "" {
		return long
	}
	return short
}

// fetched waits until the last event is that of a successful fetch.
func fetched(d *remotedaemon.Daemon) {
	testkit.Eventually(remotedaemon.Patience, func() bool {
		lines := d.Lines()
		return strings.HasSuffix(lines[len(lines)-1].Text, " 1")
	})
}

// On a full disk DONESYNCING says so and the daemon lives; with room again it fetches by
// itself.
func TestFullDisk(t *testing.T) {
	testkit.Root(t)
	t.Parallel()
	w := remotedaemon.New(t, remotedaemon.Options{NoRemote: true})
	if out, err := w.Try(".", "mount -t tmpfs -o size=12m tmpfs local"); err != nil {
		testkit.Missing(t, "no disk can be mounted here: "+out)
	}
	t.Cleanup(func() { w.Try(".", "umount -l local") })
	w.InLocal("git init -q; git remote add origin " + w.Server + "; git fetch -q")
	d := w.Start(remotedaemon.Vext(t))
	t.Cleanup(d.Kill)
	d.Connected()
	w.Push("head -c 2000000 /dev/urandom >big; git add big; git commit -qm big; git push -q origin main")
	w.Try("local", "head -c 20000000 /dev/zero >filler")
	d.Seek("DONESYNCING "+w.URI()+" 0", remotedaemon.Patience)
	w.InLocal("rm -f filler")
	d.Seek("DONESYNCING "+w.URI()+" 1", remotedaemon.Patience)
	w.Equal()
	d.Stop()
}

// A branch whose name is a directory here does not hold up the other ones; and when the
// obstacle is gone, it comes, too.
func TestBranchAndDirectory(t *testing.T) {
	t.Parallel()
	w := remotedaemon.New(t, remotedaemon.Options{})
	w.InLocal("git update-ref refs/remotes/origin/a main") // stale, and nothing is pruned
	w.CountFetches()
	d := w.Start(remotedaemon.Vext(t))
	d.Connected()
	w.Push("git commit -q --allow-empty -m two; git push -q origin main HEAD:refs/heads/a/b HEAD:refs/heads/c")
	d.Expect("SYNCING "+w.URI(), "DONESYNCING "+w.URI()+" 0")
	if differ := w.Difference("origin"); !strings.HasPrefix(differ, "a/b is ,") || strings.Count(differ, ",") != 2 {
		t.Error(differ)
	}
	d.Quiet(2 * still)
	if all, _ := w.Fetches(); all > 3 {
		t.Errorf("%d fetches", all)
	}
	w.Push("git push -q origin :c; git commit -q --allow-empty -m three; git push -q origin main")
	d.Seek("DONESYNCING ", remotedaemon.Patience)
	w.InLocal("git update-ref -d refs/remotes/origin/a")
	w.Push("git commit -q --allow-empty -m four; git push -q origin main")
	// The first fetch that succeeds may be one of three, whose notice was still on its way.
	if !testkit.Eventually(remotedaemon.Patience, func() bool { return w.Difference("origin") == "c is not deleted" }) {
		t.Error(w.Difference("origin"))
	}
	fetched(d)
	d.Stop()
}

// A lock that another git process has is waited for.
func TestLocked(t *testing.T) {
	t.Parallel()
	for _, lock := range []string{"refs/remotes/origin/main.lock", "packed-refs.lock", "shallow.lock", "config.lock", "index.lock"} {
		t.Run(lock, func(t *testing.T) {
			t.Parallel()
			w := remotedaemon.New(t, remotedaemon.Options{})
			d := w.Start(remotedaemon.Vext(t))
			d.Connected()
			path := filepath.Join(w.Local, ".git", lock)
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			w.Commit("main")
			d.Seek("DONESYNCING ", remotedaemon.Patience)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			w.Equal()
			fetched(d)
			d.Stop()
		})
	}
}

// A host key that has changed is named in a WARNING, and nothing is asked.
func TestHostKeyChanged(t *testing.T) {
	t.Parallel()
	w := remotedaemon.New(t, remotedaemon.Options{SSH: true})
	d := w.Start(remotedaemon.Vext(t))
	d.Connected()
	w.SSH.NewHostKey()
	w.SSH.Restart()
	d.Expect("DISCONNECTED " + w.URI())
	begun := time.Now()
	for ok := true; ok; {
		line := d.Seek("WARNING ", remotedaemon.Patience).Text
		ok = !strings.Contains(strings.ToLower(line), "host key")
		if time.Since(begun) > remotedaemon.Patience {
			t.Fatal("no WARNING of the host key")
		}
	}
	w.Commit("main")
	w.SSH.Trust()
	d.Send("RESUME")
	d.Connected()
	d.Synced()
	d.Stop()
}

// A repository that goes away and comes back is watched again.
func TestRepositoryGone(t *testing.T) {
	t.Parallel()
	w := remotedaemon.New(t, remotedaemon.Options{})
	d := w.Start(remotedaemon.Vext(t))
	d.Connected()
	w.Sh("mv server.git away.git")
	d.Expect("DISCONNECTED " + w.URI())
	w.Sh("mv away.git server.git")
	d.Connected()
	w.Commit("main")
	d.Synced()
	w.Sh("rm -rf server.git; cp -R other/.git server.git; git -C server.git config core.bare true; git -C server.git branch again")
	d.Seek("DONESYNCING "+w.URI()+" 1", remotedaemon.Patience)
	if _, err := w.Try("local", "git rev-parse -q --verify origin/again"); err != nil {
		t.Error("the other repository is not seen")
	}
	d.Stop()
}

// A fetch that stands still for the daemon's end is ended with it, and every SYNCING has
// its DONESYNCING.
func TestEndsInTheMidst(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"STOP", "SIGTERM", "PAUSE"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			w := remotedaemon.New(t, remotedaemon.Options{})
			slow := filepath.Join(w.Dir, "slow")
			if err := os.WriteFile(slow, []byte("#!/bin/sh\necho >"+w.Dir+"/begun\nsleep 1000\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			w.InLocal("git config remote.origin.uploadpack " + slow)
			d := w.Start(remotedaemon.Vext(t))
			d.Connected()
			w.Commit("main")
			d.Seek("SYNCING ", remotedaemon.Patience)
			testkit.Eventually(remotedaemon.Patience, func() bool { _, err := os.Stat(w.Dir + "/begun"); return err == nil })
			switch end {
			case "SIGTERM":
				d.Signal(syscall.SIGTERM)
			case "PAUSE":
				d.Send("PAUSE")
				d.Expect("DONESYNCING "+w.URI()+" 0", "DISCONNECTED "+w.URI())
				d.Send("STOP")
			default:
				d.Send(end)
			}
			d.Ended(0, 3*time.Second)
		})
	}
}
