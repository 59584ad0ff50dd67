package remote

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/internal/testkit/sshd"
)

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// processes returns the processes whose arguments contain a text.
func processes(t *testing.T, text string) (all []string) {
	t.Helper()
	entries, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(entries) == 0 {
		t.Skip("no /proc")
	}
	for _, entry := range entries {
		if args, err := os.ReadFile(entry); err == nil && bytes.Contains(args, []byte(text)) {
			all = append(all, string(bytes.ReplaceAll(args, []byte{0}, []byte{' '})))
		}
	}
	return all
}

// Five remotes on a host that start at once use one connection, with their fetches and
// polls. Nothing is left of it.
func TestMasterIsShared(t *testing.T) {
	f := newFarTest(t)
	f.annex()
	var all []*farWatch
	for range 5 {
		all = append(all, f.watch(f.repo))
	}
	for _, w := range all {
		w.await("READY", w.ready)
	}
	l := f.link(f.repo)
	if _, err := l.list(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	env, done := l.environ(t.Context())
	cmd := exec.Command("git", "ls-remote", sshd.Host+":"+f.repo)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "refs/heads/main") {
		t.Errorf("%v: %s; %q", err, out, env)
	}
	done()
	config, err := os.ReadFile(f.Config)
	if err == nil { // another host
		err = os.WriteFile(f.Config, append(config, "Host other\n  HostName 127.0.0.1\n  Port 1\n"...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	env, done = l.environ(t.Context())
	cmd = exec.Command("git", "ls-remote", "other:"+f.repo)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("a pushurl of another host goes to this one: %s", out)
	}
	done()
	if n, logins := f.Connections(), f.Logins(); n != 1 || logins != 1 {
		t.Errorf("%d connections, %d logins", n, logins)
	}
	sockets := filepath.Join(f.masters.dir, fmt.Sprintf("%08x-*", f.masters.id))
	if found, _ := filepath.Glob(sockets); len(found) != 1 {
		t.Errorf("the sockets are %q", found)
	}
	for _, w := range all {
		w.stop()
		w.ended()
	}
	f.masters.close()
	if left := processes(t, f.Config); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if found, _ := filepath.Glob(sockets); len(found) > 0 {
		t.Errorf("left: %q", found)
	}
	eventually(t, "the server is left", func() bool { return f.Connections() == 0 })
}

// A master has no more sessions than sshd allows.
func TestMasterIsFull(t *testing.T) {
	f := newFarTest(t)
	var all []*sshMaster
	for range 2*maxShared + 1 {
		master, err := f.masters.acquire(t.Context(), f.link(f.repo))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, master)
	}
	if n := f.Logins(); n != 3 {
		t.Errorf("%d logins", n)
	}
	for _, master := range all {
		f.masters.release(master, false)
	}
}

// A server that allows fewer sessions than we count on gets more connections.
func TestMasterIsRefused(t *testing.T) {
	f := newFarTest(t, "MaxSessions 1")
	f.annex()
	w := f.watch(f.repo)
	w.await("READY", w.ready)
	if all, err := f.link(f.repo).list(t.Context(), nil); err != nil || len(all) == 0 {
		t.Errorf("%v, %v", all, err)
	}
	if n := f.Logins(); n != 2 {
		t.Errorf("%d logins", n)
	}
}

// A master that does not answer is replaced, after a session has failed.
func TestMasterIsReplaced(t *testing.T) {
	f := newFarTest(t)
	l := f.link(f.repo)
	acquire := func() *sshMaster {
		t.Helper()
		master, err := f.masters.acquire(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		return master
	}
	first := acquire()
	f.masters.release(first, true)
	if again := acquire(); again != first {
		t.Error("a master that answers was replaced")
	}
	first.process.signal(syscall.SIGSTOP)
	f.masters.release(first, true)
	second := acquire()
	if second == first {
		t.Fatal("a master that hangs was used")
	}
	if err := os.Remove(second.socket); err != nil {
		t.Fatal(err)
	}
	f.masters.release(second, false)
	third := acquire()
	if third == second {
		t.Error("a master without a socket was used")
	}
	third.process.kill()
	<-third.ended
	f.masters.release(third, false)
	fourth := acquire()
	f.masters.lostNet()
	f.masters.lostNet()
	<-fourth.ended
	f.masters.release(fourth, false)
	f.masters.times.idle = time.Millisecond
	last := acquire()
	f.masters.release(last, false)
	<-last.ended
	if n := f.Logins(); n != 5 {
		t.Errorf("%d logins", n)
	}
}

// A master that never connects is given up with the session that waits for it.
func TestMasterHangs(t *testing.T) {
	f := newFarTest(t)
	t.Setenv("GIT_SSH_COMMAND", "ssh -F "+f.Config+" -o ProxyCommand='sleep 1000'")
	f.masters.times.connect, f.masters.times.ready = time.Second, 0
	begun := time.Now()
	if _, err := f.masters.acquire(t.Context(), f.link(f.repo)); err == nil || time.Since(begun) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(begun))
	}
	f.masters.times.connect = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := f.masters.acquire(ctx, f.link(f.repo)); err == nil {
		t.Error("no error")
	}
	f.masters.close()
	if left := processes(t, f.Config); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// Where the user's configuration shares connections, or ssh is another program, there is no
// master of ours.
func TestNoMaster(t *testing.T) {
	f := newFarTest(t)
	socket := filepath.Join(f.Dir, "s")
	config, err := os.ReadFile(f.Config)
	if err == nil {
		err = os.WriteFile(f.Config, append(config, fmt.Sprintf("  ControlMaster auto\n  ControlPath %s\n", socket)...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	list := func() {
		t.Helper()
		if all, err := f.link(f.repo).list(t.Context(), nil); err != nil || len(all) == 0 {
			t.Errorf("%v, %v", all, err)
		}
	}
	list()
	if _, err := os.Stat(socket); err == nil {
		t.Error("a session has become the user's master")
	}
	config, _ = os.ReadFile(f.Config)
	if err := os.WriteFile(f.Config, append(config, "  ControlPersist 1m\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		list() // the first one starts a master in the background
	}
	if n := f.Logins(); n != 2 {
		t.Errorf("%d logins", n)
	}
	if out, err := exec.Command("ssh", "-F", f.Config, "-O", "exit", sshd.Host).CombinedOutput(); err != nil {
		t.Errorf("the user's master: %v: %s", err, out)
	}
	program := filepath.Join(f.Dir, "plink")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nexec ssh -F "+f.Config+" -o ControlPath=none \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_SSH_COMMAND", program)
	list()
	if len(f.masters.all) > 0 {
		t.Error("a master of ours")
	}
}

// When this process is killed, its master ends.
func TestMasterEndsWithParent(t *testing.T) {
	if ready := os.Getenv("VEXT_TEST_MASTER"); ready != "" { // the process that is killed
		masters := newSSHMasters(testTimes)
		l, err := masters.openSSH(t.Context(), func(context.Context, ...string) (string, error) { return "", nil }, &Remote{URL: sshd.Host + ":x"})
		if err == nil {
			_, err = masters.acquire(t.Context(), l)
		}
		os.WriteFile(ready, fmt.Append(nil, err), 0o600)
		select {}
	}
	f := newFarTest(t)
	ready := filepath.Join(f.Dir, "ready")
	cmd := exec.Command(os.Args[0], "-test.run=^TestMasterEndsWithParent$")
	cmd.Env = append(os.Environ(), "VEXT_TEST_MASTER="+ready)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "connected", func() bool { _, err := os.Stat(ready); return err == nil })
	if n := f.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
	cmd.Process.Kill()
	cmd.Wait()
	eventually(t, "the end of the master", func() bool { return len(processes(t, f.Config)) == 0 })
}

func TestMakeDir(t *testing.T) {
	m := newSSHMasters(testTimes)
	parent, err := os.MkdirTemp("/tmp", "v")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(parent)
	make := func() string {
		m.dir, m.isTemp = "", false
		if err := m.makeDir(); err != nil {
			t.Fatal(err)
		}
		return m.dir
	}
	t.Setenv("XDG_RUNTIME_DIR", parent)
	if got := make(); got != parent+"/vext" {
		t.Error(got)
	}
	if err := os.Chmod(parent+"/vext", 0o755); err != nil {
		t.Fatal(err)
	}
	if got := make(); strings.HasPrefix(got, parent) {
		t.Errorf("%s is open to others", got)
	}
	long := filepath.Join(parent, strings.Repeat("x", 60))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", long)
	t.Setenv("TMPDIR", long)
	if got := make(); !strings.HasPrefix(got, "/tmp/vext-") {
		t.Errorf("%s is too long", got)
	}
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("TMPDIR", parent)
	if got, want := make(), fmt.Sprintf("%s/vext-%d", parent, os.Getuid()); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if err := os.Chmod(m.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if got := make(); filepath.Dir(got) == parent || !isPrivate(got) {
		t.Errorf("%s is open to others", got)
	}
}
