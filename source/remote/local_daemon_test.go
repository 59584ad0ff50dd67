package remote

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// watchLocally has the daemon use the transports that it would choose itself.
func watchLocally(d *Daemon) { d.choose = d.transportsFor }

// Whatever happens in a repository on this machine comes at once.
func TestLocalRemote(t *testing.T) {
	f := newFixture(t)
	r := f.start(watchLocally)
	r.expect("CONNECTED " + f.server)
	for _, script := range []string{
		"git commit -q --allow-empty -m two; git push -q origin main",
		"git reset -q --hard HEAD~; git push -q -f origin main",
		"git push -q origin main:refs/heads/dir/a main:refs/heads/dir/b main:refs/heads/c",
		"git -C " + f.server + " pack-refs --all; git commit -q --allow-empty -m three; git push -q origin main",
		"git tag -m x v1; git push -q origin v1",
		"git -C " + f.server + " gc -q; git commit -q --allow-empty -m four; git push -q origin main:dir/a",
	} {
		f.other(script)
		r.synced("1")
		for done := false; !done; { // a push of several refs may come in two parts
			select {
			case <-r.events:
			case <-time.After(100 * time.Millisecond):
				done = true
			}
		}
		f.equal()
	}
	if s := r.status("origin", stateConnected); s.Transport != "local" {
		t.Errorf("%+v", s)
	}
}

// until reads events up to this one.
func (r *running) until(line string) {
	r.t.Helper()
	for {
		select {
		case got := <-r.events:
			if got == line {
				return
			}
		case <-time.After(within):
			r.t.Fatalf("no event %q", line)
		}
	}
}

// A repository that is moved away and back is found again, with what it got meanwhile.
func TestLocalRemoteGone(t *testing.T) {
	f := newFixture(t)
	r := f.start(watchLocally)
	r.expect("CONNECTED " + f.server)
	away := f.server + "-away"
	if err := os.Rename(f.server, away); err != nil {
		t.Fatal(err)
	}
	r.until("DISCONNECTED " + f.server)
	r.until("WARNING " + f.server + " " + f.server + ": no such directory")
	f.other("git commit -q --allow-empty -m two; git push -q " + away + " main")
	if err := os.Rename(away, f.server); err != nil {
		t.Fatal(err)
	}
	r.expect("CONNECTED " + f.server)
	r.synced("1")
	f.equal()
}

// Refs that the remote hides are not asked for.
func TestLocalRemoteHides(t *testing.T) {
	f := newFixture(t)
	gitFor(t, f.server, "config", "transfer.hideRefs", "refs/heads/hidden")
	gitFor(t, f.server, "branch", "hidden", "main")
	r := f.start(watchLocally)
	r.expect("CONNECTED " + f.server)
	r.quiet()
	f.other("git commit -q --allow-empty -m two; git push -q origin main")
	r.synced("1")
	r.quiet()
}

// From the write of a ref to DONESYNCING.
func TestLocalRemoteLatency(t *testing.T) {
	f := newFixture(t)
	r := f.start(watchLocally)
	r.expect("CONNECTED " + f.server)
	sha := gitFor(t, f.server, "rev-parse", "main")
	tree := gitFor(t, f.server, "rev-parse", "main^{tree}")
	var took []time.Duration
	for i := range 20 {
		sha = gitFor(t, f.server, "commit-tree", "-p", sha, "-m", fmt.Sprint(i), tree)
		lock := filepath.Join(f.server, "refs/heads/main.lock")
		if err := os.WriteFile(lock, []byte(sha+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := os.Rename(lock, filepath.Join(f.server, "refs/heads/main")); err != nil {
			t.Fatal(err)
		}
		r.synced("1")
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	t.Logf("median %s, 95%% %s", took[10], took[18])
	if took[10] > time.Second {
		t.Error("the median is over a second")
	}
	f.equal()
}
