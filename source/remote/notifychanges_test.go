package remote

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/sshd"
)

// A farTest is a machine that is reached by ssh, and the masters of a daemon.
type farTest struct {
	*sshd.Server
	t       *testing.T
	masters *sshMasters
	repo    string
}

// testTimes find a dead link quickly.
var testTimes = sshTimes{
	connect: 5 * time.Second, alive: time.Second, ready: 20 * time.Second, poll: 20 * time.Second,
	check: time.Second, idle: time.Hour, recheck: time.Hour, look: time.Hour, lookFull: time.Hour,
}

func newFarTest(t *testing.T, settings ...string) *farTest {
	t.Helper()
	f := &farTest{Server: sshd.Start(t, settings...), t: t, repo: serverRepository(t, "sha1"), masters: newSSHMasters(testTimes)}
	t.Cleanup(f.masters.close)
	t.Setenv("GIT_SSH_COMMAND", "ssh -F "+f.Config)
	t.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(f.Home, ".gitconfig"))
	t.Setenv("XDG_RUNTIME_DIR", "")
	return f
}

// annex has git-annex set up the repository.
func (f *farTest) annex() {
	f.t.Helper()
	testkit.Program(f.t, "git-annex-shell")
	if out, err := exec.Command("git", "-C", f.repo, "annex", "init", "-q").CombinedOutput(); err != nil {
		f.t.Fatalf("%v: %s", err, out)
	}
}

// link opens a link to a repository of the far side.
func (f *farTest) link(path string) *sshLink {
	f.t.Helper()
	git := func(context.Context, ...string) (string, error) { return "", nil }
	l, err := f.masters.openSSH(f.t.Context(), git, &Remote{Name: "origin", URL: sshd.Host + ":" + path})
	if err != nil || l == nil {
		f.t.Fatalf("%v, %v", l, err)
	}
	return l
}

// move moves a branch of the far side.
func (f *farTest) move(ref string) {
	f.t.Helper()
	script := `cd "$1" && git -c user.name=a -c user.email=a@example.org commit-tree -m "$(date +%s%N)" "$(git mktree </dev/null)" | xargs git update-ref "$2"`
	if out, err := exec.Command("sh", "-c", script, "sh", f.repo, ref).CombinedOutput(); err != nil {
		f.t.Fatalf("%v: %s", err, out)
	}
}

// A farWatch is a transport at work.
type farWatch struct {
	t         *testing.T
	ready     chan struct{}
	changed   chan struct{}
	done      chan error
	stop      func()
	mu        sync.Mutex
	warnings  []string
	transport *sshTransport
}

func (f *farTest) watch(path string) *farWatch {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	w := &farWatch{t: f.t, ready: make(chan struct{}), changed: make(chan struct{}, 1000), done: make(chan error, 1), stop: cancel}
	w.transport = &sshTransport{masters: f.masters, link: f.link(path), warn: func(text string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.warnings = append(w.warnings, text)
	}}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.done <- w.transport.watch(ctx, func() { close(w.ready) }, func() { w.changed <- struct{}{} })
	}()
	f.t.Cleanup(func() { cancel(); <-ended })
	return w
}

const patience = 20 * time.Second

func (w *farWatch) await(what string, c <-chan struct{}) {
	w.t.Helper()
	select {
	case <-c:
	case err := <-w.done:
		w.t.Fatalf("%s: the transport has ended: %v", what, err)
	case <-time.After(patience):
		w.t.Fatalf("%s: not within %s", what, patience)
	}
}

// ended returns the error of a transport that ends by itself.
func (w *farWatch) ended() error {
	w.t.Helper()
	select {
	case err := <-w.done:
		return err
	case <-time.After(patience):
		w.t.Fatal("the transport does not end")
		return nil
	}
}

func TestNotifyChanges(t *testing.T) {
	f := newFarTest(t)
	f.annex()
	w := f.watch(f.repo)
	w.await("READY", w.ready)
	if got := w.transport.String(); got != "ssh, git-annex" {
		t.Errorf("%q", got)
	}
	for range 2 { // git-annex reports what it finds at its start, too
		f.move("refs/heads/main")
		w.await("CHANGED", w.changed)
	}
	w.stop()
	if err := w.ended(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := f.Logins(); n != 1 || len(w.warnings) > 0 {
		t.Errorf("%d logins, %q", n, w.warnings)
	}
}

// What git-annex does not report is found all the same.
func TestNotifyChangesInPart(t *testing.T) {
	f := newFarTest(t)
	f.annex()
	f.masters.times.recheck, f.masters.times.look = 10*time.Millisecond, time.Hour
	w := f.watch(f.repo)
	w.await("READY", w.ready)
	f.move("refs/heads/main")
	w.await("CHANGED", w.changed)
	w.await("a later look", w.changed)
	w.stop()
	w.ended()
	f.masters.times.look = 10 * time.Millisecond
	w = f.watch(f.repo)
	w.await("READY", w.ready)
	for range 3 {
		w.await("a look from time to time", w.changed)
	}
}

// serveVext makes a program vext for the far side, which has nothing else that reports.
func (f *farTest) serveVext(script string) {
	f.t.Helper()
	path := filepath.Join(f.Home, "bin", "vext")
	os.Mkdir(filepath.Dir(path), 0o700)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		f.t.Fatal(err)
	}
	f.Force("PATH=" + filepath.Dir(path) + ":$PATH; export PATH; eval \"$SSH_ORIGINAL_COMMAND\"")
}

// A repository that git-annex has not set up is watched by vext, over the same connection.
func TestNotifyChangesByVext(t *testing.T) {
	f := newFarTest(t)
	f.serveVext(`test "$1 $2" = "remote serve-changes" && cd "$3" || exit 9
echo "Welcome to this machine"; echo "CHANGED too early"; echo READY; echo noise; echo CHANGED refs/heads/main; exec cat`)
	w := f.watch(f.repo)
	w.await("READY", w.ready)
	w.await("CHANGED", w.changed)
	if got := w.transport.String(); got != "ssh, vext" {
		t.Errorf("%q", got)
	}
	w.stop()
	w.ended()
	if n := f.Logins(); n != 1 || len(w.changed) > 0 {
		t.Errorf("%d logins, %d more changes", n, len(w.changed))
	}
	if len(w.warnings) != 1 || !strings.Contains(w.warnings[0], "Welcome to this machine") {
		t.Errorf("%q", w.warnings)
	}
}

// What can't report changes is told apart from what is broken.
func TestNotifyChangesUnsupported(t *testing.T) {
	f := newFarTest(t)
	for name, test := range map[string]struct {
		force       string // "" for a usual account
		path        string
		unsupported bool
		words       string
	}{
		"not set up":          {"", f.repo, true, "Not a git-annex"},
		"no repository":       {"", "/nowhere", false, "does not appear to be a git repository"},
		"git-shell":           {`exec git-shell -c "$SSH_ORIGINAL_COMMAND"`, f.repo, true, "unrecognized command"},
		"too old":             {`case $SSH_ORIGINAL_COMMAND in git-annex*) echo "git-annex-shell: git-shell failed" >&2; exit 1;; *vext*) exit 127;; esac; eval "$SSH_ORIGINAL_COMMAND"`, f.repo, true, "git-shell failed"},
		"a forge":             {`case $SSH_ORIGINAL_COMMAND in git-upload-pack*) eval "$SSH_ORIGINAL_COMMAND";; *) echo Hi there;; esac`, f.repo, true, "ended at once"},
		"a shell that prints": {`echo Welcome; eval "$SSH_ORIGINAL_COMMAND"`, f.repo, false, "is no answer of git"},
	} {
		if f.Force(test.force); test.force == "" {
			f.Force(`eval "$SSH_ORIGINAL_COMMAND"`)
		}
		f.masters.lostNet() // whose logins know another command
		err := f.watch(test.path).ended()
		if isUnsupported(err) != test.unsupported || !strings.Contains(fmt.Sprint(err), test.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := f.Logins(); n != 6 {
		t.Errorf("%d logins", n)
	}
}

// A frozen machine is noticed, a cut connection at once, and each connects again.
func TestNotifyChangesLost(t *testing.T) {
	f := newFarTest(t)
	f.annex()
	for name, lose := range map[string]func(){"freeze": f.Freeze, "cut": f.Cut, "restart": f.Restart, "lostNet": f.masters.lostNet} {
		w := f.watch(f.repo)
		w.await("READY", w.ready)
		begun := time.Now()
		lose()
		err := w.ended()
		if took := time.Since(begun); err == nil || isUnsupported(err) || took > 8*time.Second {
			t.Errorf("%s: %v after %s", name, err, took)
		}
		t.Logf("%s: %v after %s", name, err, time.Since(begun))
		f.Cut()
	}
}

// Errors of the login say what to do.
func TestSSHErrors(t *testing.T) {
	f := newFarTest(t)
	check := func(words ...string) {
		t.Helper()
		err := f.watch(f.repo).ended()
		for _, word := range words {
			if !strings.Contains(fmt.Sprint(err), word) {
				t.Errorf("%v, not %q", err, word)
			}
		}
	}
	f.NewHostKey()
	f.Restart()
	check("the host key has changed", "ssh-keygen -f", "log in once with: ssh far")
	if err := os.WriteFile(f.KnownHosts, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	check("the host key is unknown", "ssh far")
	f.Trust()
	f.Lock("secret")
	check("needs a passphrase", "ssh-add "+f.Key)
	if err := os.Remove(f.Key); err != nil {
		t.Fatal(err)
	}
	check("permission denied", "ssh -o BatchMode=yes far")
	f.Stop()
	check("Connection refused")
}

// A list of refs costs no login of its own, and only what is asked for where sshd accepts
// GIT_PROTOCOL.
func TestSSHList(t *testing.T) {
	for _, settings := range [][]string{nil, {"AcceptEnv GIT_PROTOCOL"}} {
		f := newFarTest(t, settings...)
		l := f.link(f.repo)
		for _, prefixes := range [][]string{nil, {"refs/heads/"}, {"refs/tags/"}} {
			for range 2 {
				got, err := l.list(t.Context(), prefixes)
				if want := lsRemote(t, f.repo, prefixes); err != nil || !maps.Equal(got, want) {
					t.Errorf("%q, %q: %v, %v; want %v", settings, prefixes, got, err, want)
				}
				f.move("refs/heads/main")
			}
		}
		if _, err := f.link("/nowhere").list(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "does not appear") {
			t.Errorf("no repository: %v", err)
		}
		if n := f.Logins(); n != 1 {
			t.Errorf("%d logins", n)
		}
	}
}

func TestLastLine(t *testing.T) {
	for printed, want := range map[string]string{
		"": "none",
		"\n remote: \nremote: =====\nremote: ERROR: no such project\nremote: \nremote: ======\n": "ERROR: no such project",
		"** WARNING: no post-quantum key exchange\n":                                             "none",
		"ssh: connect to host a port 22: Connection refused\r\n":                                 "connect to host a port 22: Connection refused",
	} {
		if got := lastLine(printed, "none"); got != want {
			t.Errorf("%q: %q", printed, got)
		}
	}
}

// A far side that closes its output, or says something without end, neither has the session
// wait for ever nor takes much of this machine.
func TestHostileReporter(t *testing.T) {
	for script, want := range map[string]string{
		"echo READY; exec >&-; exec sleep 1000": "the connection was lost",
		"exec >&-; exec sleep 1000":             "git-annex: it has closed its output; vext: it has closed its output",
		"yes; exit 1":                           "git-annex: no READY within 300ms; vext: no READY within 300ms",
		"yes | tr -d '\\n'":                     "git-annex: no READY within 300ms; vext: no READY within 300ms",
		"echo READY; yes CHANGED | head -c 1M":  "the far side has ended its process",
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			far := `case $2 in *upload-pack*) exec git upload-pack "` + dir + `";; esac; ` + script
			if err := os.WriteFile(filepath.Join(dir, "ssh"), []byte("#!/bin/sh\n"+far), 0o755); err != nil {
				t.Fatal(err)
			}
			gitFor(t, dir, "init", "-q", "--bare", ".")
			times := testTimes
			times.ready = 300 * time.Millisecond
			masters := newSSHMasters(times)
			defer masters.close()
			link := &sshLink{sshAddress: sshAddress{host: "host", path: dir}, uploadPack: "git-upload-pack", masters: masters,
				program: sshProgram{command: filepath.Join(dir, "ssh"), variant: variantSimple}}
			transport := &sshTransport{masters: masters, link: link, warn: func(string) {}}
			changes := 0
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			err := transport.watch(ctx, func() {}, func() { changes++ })
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, %d changes", err, changes)
			}
		})
	}
}
