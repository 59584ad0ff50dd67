package remote

import (
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/sshd"
)

// startSSH starts a daemon whose remote is on a machine that is reached by ssh. Its server is
// the URI of the remote.
func startSSH(t *testing.T, annex bool, changes ...func(*Daemon)) (*running, *sshd.Server) {
	t.Helper()
	server, f := sshd.Start(t, "AcceptEnv GIT_PROTOCOL"), newFixture(t)
	if annex {
		testkit.Program(t, "git-annex-shell")
		gitFor(t, f.server, "annex", "init", "-q")
	}
	gitFor(t, f.clone, "config", "core.sshCommand", "ssh -F "+server.Config)
	gitFor(t, f.clone, "remote", "set-url", "origin", sshd.Host+":"+f.server)
	gitFor(t, f.clone, "config", "--replace-all", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
	gitFor(t, f.clone, "config", "--add", "remote.origin.fetch", "^refs/heads/git-annex")
	gitFor(t, f.clone, "config", "remote.origin.prune", "true")
	f.server = "ssh://" + sshd.Host + f.server
	return f.start(append([]func(*Daemon){func(d *Daemon) {
		d.choose = d.transportsFor
		d.ssh = newSSHMasters(testTimes)
	}}, changes...)...), server
}

// One connection reports, lists and fetches. A lost one comes back by itself.
func TestDaemonOverSSH(t *testing.T) {
	t.Parallel()
	r, server := startSSH(t, true)
	r.expect("CONNECTED " + r.server)
	if status := r.d.Status()[0]; status.Transport != "ssh, git-annex" {
		t.Errorf("%+v", status)
	}
	path := strings.TrimPrefix(r.server, "ssh://"+sshd.Host)
	for _, change := range []string{
		"git commit -q --allow-empty -m two; git push -q origin main",
		"git commit -q --allow-empty -m three; git push -q origin main HEAD~1:refs/heads/known",
		"git push -q -f origin HEAD~2:main",
	} {
		r.other(change)
		r.synced("1")
	}
	if n := server.Logins(); n != 1 {
		t.Errorf("%d logins", n)
	}
	server.Cut()
	r.expect("DISCONNECTED " + r.server)
	r.expect("WARNING " + r.server + " far: *")
	r.other("git push -q origin :known; git -C " + path + " pack-refs --all")
	r.expect("CONNECTED " + r.server)
	r.synced("1")
	r.d.Command("PAUSE")
	r.expect("DISCONNECTED " + r.server)
	eventually(t, "no connection", func() bool { return server.Connections() == 0 })
	r.d.Command("RESUME")
	r.expect("CONNECTED " + r.server)
	server.Freeze()
	r.d.Command("LOSTNET")
	begun := time.Now()
	r.expect("DISCONNECTED " + r.server)
	if took := time.Since(begun); took > time.Second {
		t.Errorf("LOSTNET took %s", took)
	}
	server.Cut()
	r.d.Command("RESUME")
	r.expect("CONNECTED " + r.server)
	r.d.Command("STOP")
	r.ended()
	if left := processes(t, server.Config); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// A far side that can't report is polled over one connection.
func TestDaemonPollsOverSSH(t *testing.T) {
	t.Parallel()
	r, server := startSSH(t, false, func(d *Daemon) { d.pace.poll.Min, d.pace.poll.Max = 50*time.Millisecond, 50*time.Millisecond })
	r.expect("WARNING "+r.server+" far cannot report changes (git-annex: *; watching by polling instead", "CONNECTED "+r.server)
	for range 3 {
		r.other("git commit -q --allow-empty -m two; git push -q origin main")
		r.synced("1")
	}
	if n := server.Logins(); n != 1 {
		t.Errorf("%d logins", n)
	}
}
