package remote

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A branch that git can't update holds up no other, and makes no loop.
func TestStuck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ config, before, change, repair string }{
		"a branch and a directory of one name": {"", "git push -q origin main:a", "git push -q origin :a; git push -q origin main:a/b main:c", "git push -q origin :a/b"},
		"not a fast-forward":                   {"refs/heads/*:refs/remotes/origin/*", "git commit -q --allow-empty -m x; git push -q origin main", "git push -q -f origin main~1:main main:c", "git push -q origin main"},
		"a moved tag":                          {"tags", "git tag v; git push -q origin v", "git commit -q --allow-empty -m x; git tag -f v; git push -q -f origin v main:c", "git push -q -f origin main~1:refs/tags/v"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.other(c.before)
			gitFor(t, f.clone, "fetch", "-q", "--tags", "--no-prune")
			switch c.config {
			case "tags":
				gitFor(t, f.clone, "config", "remote.origin.tagOpt", "--tags")
			case "":
			default:
				gitFor(t, f.clone, "config", "remote.origin.fetch", c.config)
			}
			r := f.start()
			conn := r.connected()
			r.quiet()
			f.other(c.change)
			conn.say()
			r.expect("SYNCING "+f.server, "WARNING "+f.server+" git fetch has left *", "DONESYNCING "+f.server+" 0")
			gitFor(t, f.clone, "rev-parse", "origin/c")
			conn.say()
			r.quiet()
			f.other("git push -q origin main:d")
			conn.say()
			r.synced("0") // d arrives
			gitFor(t, f.clone, "rev-parse", "origin/d")
			r.d.Command("RESUME")
			r.synced("0")
			f.other(c.repair)
			conn.say()
			r.quiet()
		})
	}
}

// A lock of another git process is waited for, and no failure stays unrepaired.
func TestLock(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := f.start()
	conn := r.connected()
	lock := filepath.Join(f.clone, ".git/refs/remotes/origin/main.lock")
	write := func() {
		if err := os.WriteFile(lock, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	f.other("git commit -q --allow-empty -m two; git push -q origin main")
	conn.say()
	r.synced("0")
	for got := ""; got != "DONESYNCING "+f.server+" 1"; {
		if got = <-r.events; strings.HasPrefix(got, "DONESYNCING") && strings.HasSuffix(got, "0") {
			os.Remove(lock)
		}
	}
	f.equal()
	r.quiet()
}

// Notifications during a fetch cause one more look, and no second fetch at once.
func TestNotifiedInFetch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	dir := t.TempDir()
	// The program of the fetch waits for the file "go".
	script := "#!/bin/sh\nif test -e " + dir + "/wait; then until test -e " + dir + "/go; do sleep 0.01; done; fi\nexec git-upload-pack \"$@\"\n"
	program := filepath.Join(dir, "upload-pack")
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	gitFor(t, f.clone, "config", "remote.origin.uploadpack", program)
	r := f.start(func(d *Daemon) {
		choose := d.choose
		d.choose = func(of *Remote) []transport { return []transport{lists{choose(of)[0].(*fake), f}} }
	})
	conn := r.connected()
	r.quiet()
	f.other("git commit -q --allow-empty -m two; git push -q origin main; touch " + dir + "/wait")
	conn.say()
	r.expect("SYNCING " + f.server)
	conn.say()
	conn.say()
	f.other("touch " + dir + "/go")
	r.expect("DONESYNCING " + f.server + " 1")
	r.quiet()
	f.equal()
}

// annex-pull=false connects and never fetches.
func TestNoPull(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	gitFor(t, f.clone, "config", "remote.origin.annex-pull", "false")
	r := f.start()
	conn := r.connected()
	f.other("git commit -q --allow-empty -m two; git push -q origin main")
	conn.say()
	r.quiet()
}

// A fetch that stalls does not hold up the other remotes for long.
func TestStalledFetch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	second := filepath.Join(t.TempDir(), "second.git")
	gitFor(t, f.clone, "clone", "-q", "--bare", f.server, second)
	gitFor(t, f.clone, "config", "remote.origin.uploadpack", "sleep 1000;")
	r := f.start(func(d *Daemon) {
		choose := d.choose
		d.choose = func(of *Remote) []transport {
			if of.Name == "origin" {
				return []transport{lists{choose(of)[0].(*fake), f}}
			}
			return []transport{newLocal(second, func(string) {})}
		}
	})
	r.connected()
	f.other("git commit -q --allow-empty -m two; git push -q origin main")
	r.d.Command("RELOAD")
	r.expect("SYNCING " + f.server)
	gitFor(t, f.clone, "remote", "add", "second", second)
	r.expect("CONNECTED "+second, "SYNCING "+second, "DONESYNCING "+second+" 1")
}

// An empty page in the place of a repository removes nothing.
func TestEmptyPage(t *testing.T) {
	t.Parallel()
	page := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer page.Close()
	f := newFixture(t)
	gitFor(t, f.clone, "config", "remote.origin.url", page.URL+"/widget.git")
	gitFor(t, f.clone, "config", "remote.origin.prune", "true")
	r := f.start()
	c := r.connection()
	c.ready()
	r.expect("CONNECTED "+page.URL+"/widget.git", "WARNING "+page.URL+"/widget.git it lists no refs*")
	gitFor(t, f.clone, "rev-parse", "--verify", "origin/main")
}
