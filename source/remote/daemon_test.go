package remote

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Every kind of update arrives, whatever the transport has said about it.
func TestUpdates(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	gitFor(t, f.clone, "config", "remote.origin.prune", "true")
	r := f.start()
	c := r.connected()
	for _, change := range []string{
		"git commit -q --allow-empty -m two; git push -q origin main",
		"git push -q origin HEAD:refs/heads/b1 HEAD~1:refs/heads/b2",
		"git commit -q --allow-empty -m three; git push -q origin main HEAD~1:refs/heads/known",
		"git push -q -f origin HEAD~2:main",
		"git commit -q --amend --allow-empty -m four; git push -q -f origin main",
		"git push -q origin :b1",
		"git push -q origin :b2; git push -q origin main:refs/heads/b2/x",
		"git push -q origin main:b3; git -C " + f.server + " pack-refs --all; git push -q origin main~1:refs/heads/b4",
	} {
		f.other(change)
		c.say()
		r.synced("1")
		f.equal()
	}
	f.other("git tag v1; git push -q origin v1")
	c.say()
	r.synced("1")
	gitFor(t, f.clone, "rev-parse", "v1")
	c.say()
	gitFor(t, f.server, "pack-refs", "--all")
	c.say()
	r.quiet() // nothing is fetched in vain
}

// What changes while nobody is connected is found at the next connection.
func TestMissedWhileAway(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.other("git push -q origin HEAD:aa HEAD:zz; git commit -q --allow-empty -m two; git push -q origin main")
	r := f.start()
	c := r.connected()
	r.synced("1")
	for _, change := range []string{
		"git commit -q --allow-empty -m x; git push -q origin main",
		"git commit -q --allow-empty -m y; git push -q origin main; git -C " + f.server + " pack-refs --all",
		"git push -q -f origin HEAD~1:main",
	} {
		r.d.Command("PAUSE")
		r.expect("DISCONNECTED " + f.server)
		r.d.Command("PAUSE")
		f.other(change)
		r.quiet()
		r.d.Command("RESUME")
		r.d.Command("RESUME")
		c = r.connected()
		r.synced("1")
		f.equal()
	}
	c.lost <- errCut
	f.other("git push -q -f origin HEAD~1:main HEAD:more")
	r.expect("DISCONNECTED "+f.server, "WARNING "+f.server+" cut")
	r.connected()
	r.synced("1")
	f.equal()
	r.d.Command("LOSTNET")
	r.d.Command("LOSTNET")
	r.expect("DISCONNECTED " + f.server)
	r.d.Command("STOP")
	r.ended()
	r.quiet()
}

// A pause during a backoff ends it, and afterwards there is one session.
func TestPauseInBackoff(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := f.start(func(d *Daemon) {
		d.pace.connect.Min, d.pace.connect.Max, d.pace.upMax = time.Hour, time.Hour, time.Hour
	})
	r.connection().lost <- errCut
	r.expect("WARNING " + f.server + " cut")
	r.d.Command("PAUSE")
	r.quiet()
	r.d.Command("RESUME")
	c := r.connected()
	r.d.Command("RESUME") // no second session
	r.quiet()
	if len(r.made) > 0 {
		t.Error("a second connection")
	}
	c.lost <- errCut
	r.expect("DISCONNECTED " + f.server)
	if s := r.status("origin", stateWaiting); s.Error != "cut" || s.Retry.IsZero() {
		t.Errorf("%+v", s)
	}
	r.d.Command("RESUME") // tries at once
	r.connected()
}

// status waits until a remote is in a state.
func (r *running) status(name, state string) RemoteStatus {
	r.t.Helper()
	for until := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
		for _, s := range r.d.Status() {
			if s.Name == name && (s.State == state || time.Now().After(until)) {
				return s
			}
		}
	}
}

// Each SYNCING has its DONESYNCING, also when the daemon ends during a fetch, and no
// process is left.
func TestEndInFetch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  func(*running)
		then []string
	}{
		"STOP":    {func(r *running) { r.d.Command("STOP") }, nil},
		"SIGTERM": {func(r *running) { r.stop() }, nil},
		"PAUSE":   {func(r *running) { r.d.Command("PAUSE") }, []string{"DISCONNECTED "}},
		"removed": {func(r *running) { gitFor(r.t, r.clone, "remote", "remove", "origin"); r.d.Command("RELOAD") }, []string{"DISCONNECTED "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			slow, pid := slowUploadPack(t)
			r := f.start(func(d *Daemon) {
				choose := d.choose
				d.choose = func(of *Remote) []transport { return []transport{lists{choose(of)[0].(*fake), f}} }
			})
			conn := r.connected()
			gitFor(t, f.clone, "config", "remote.origin.uploadpack", slow)
			f.other("git commit -q --allow-empty -m two; git push -q origin main")
			conn.say()
			r.expect("SYNCING " + f.server)
			waitFor(t, func() bool { return exists(pid) })
			c.end(r)
			r.expect("DONESYNCING " + f.server + " 0")
			for _, line := range c.then {
				r.expect(line + f.server)
			}
			if c.then == nil {
				r.ended()
			}
			waitFor(t, func() bool { return !alive(pid) })
			r.quiet()
			if locks, _ := filepath.Glob(filepath.Join(f.clone, ".git/refs/*/*/*.lock")); locks != nil {
				t.Error(locks)
			}
		})
	}
}

// lists is a fake with a way of its own to list the refs.
type lists struct {
	*fake
	f *fixture
}

func (l lists) list(context.Context, []string) (refs, error) {
	return parseRefs(gitFor(l.f.t, l.f.server, "for-each-ref", "--format=%(objectname) %(refname)")+"\n", " "), nil
}

// slowUploadPack returns a git-upload-pack that never answers, and the file with its
// process.
func slowUploadPack(t *testing.T) (program, pid string) {
	t.Helper()
	dir := t.TempDir()
	program, pid = filepath.Join(dir, "slow"), filepath.Join(dir, "pid")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho $$ > "+pid+"\nexec sleep 1000\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return program, pid
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// alive reports whether the process of a pid file runs; a zombie does not.
func alive(path string) bool {
	text, _ := os.ReadFile(path)
	pid := strings.TrimSpace(string(text)) // "" if it was killed before it wrote that
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return pid != "" && err == nil && !strings.Contains(string(stat), ") Z ")
}

func waitFor(t *testing.T, is func() bool) {
	t.Helper()
	for until := time.Now().Add(within); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("not in time")
		}
	}
}

// Remotes follow the configuration, with and without RELOAD.
func TestReload(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	second := filepath.Join(filepath.Dir(f.server), "a b.git")
	gitFor(t, f.clone, "init", "-q", "--bare", second)
	r := f.start()
	r.connected()
	r.d.Command("RELOAD")
	r.quiet()
	gitFor(t, f.clone, "remote", "add", "second", second)
	uri := strings.ReplaceAll(second, " ", "%20")
	r.connection().ready()
	r.expect("CONNECTED " + uri)
	gitFor(t, f.clone, "remote", "rename", "second", "third")
	r.expect("DISCONNECTED " + uri)
	r.connection().ready()
	r.expect("CONNECTED " + uri)
	gitFor(t, f.clone, "config", "remote.third.annex-sync", "false")
	r.expect("DISCONNECTED " + uri)
	gitFor(t, f.clone, "config", "remote.third.annex-sync", "true")
	r.connection().ready()
	r.expect("CONNECTED " + uri)

	r.quiet()
	config := filepath.Join(f.clone, ".git/config")
	good, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(config, append(good, "[broken"...), 0o644)
	r.expect("WARNING " + f.clone + " the configuration stays as it was: *")
	for range 3 {
		r.d.Look(func(*Remote) bool { return true }) // which fails, in silence
	}
	r.quiet()
	r.d.Command("RELOAD")
	r.expect("WARNING " + f.clone + " the configuration stays as it was: *")
	os.WriteFile(config, good, 0o644)
	r.d.Command("RELOAD")
	r.quiet()
	gitFor(t, f.clone, "config", "remote.third.vextInterval", "soon") // a value that is wrong is a broken configuration, too
	r.d.Command("RELOAD")
	r.expect("WARNING " + f.clone + ` the remote third stays as it was: remote.third.vextInterval: "soon" is no duration*`)
	if got := r.d.configWarnings(); len(got) != 1 || !strings.Contains(got[0], "third stays") {
		t.Errorf("%q", got)
	}
	gitFor(t, f.clone, "config", "--unset", "remote.third.vextInterval")
	r.d.Command("PAUSE")
	r.expect("DISCONNECTED *", "DISCONNECTED *")
	gitFor(t, f.clone, "remote", "remove", "third")
	gitFor(t, f.clone, "config", "--unset", "remote.origin.fetch")
	r.d.Command("RELOAD")
	r.expect("WARNING " + f.clone + " the remote origin is left out: it has no fetch refspec*")
	r.d.Command("RESUME")
	r.quiet()
	gitFor(t, f.clone, "config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
	r.connected()
}

// A line that is no command is answered by a WARNING, and survived.
func TestBadLines(t *testing.T) {
	t.Parallel()
	r := newFixture(t).start()
	r.connected()
	in := "pause\n\nPAUSE now\n PAUSE\nFETCH\x00\x1b[2J\nCHANGED\nCHANGED refs/heads/x 1234\nCHANGED" +
		strings.Repeat(" refs/heads/x", 10000) + "\nRESUME"
	if err := r.d.ReadCommands(strings.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	w := "WARNING " + r.clone + " "
	r.expect(w+`unknown command "pause"`, w+`unknown command ""`, w+`malformed line "PAUSE now": PAUSE has no argument`,
		w+`unknown command "PAUSE"`, w+`unknown command "FETCH  [2J"`, w+"a line is longer than 65536 bytes and is ignored")
	r.quiet()
}
