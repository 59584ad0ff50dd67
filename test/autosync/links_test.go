package autosync

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/machines"
	"vext/internal/testkit/prosody"
	"vext/internal/testkit/sshd"
)

// serveHub starts a vext serve with a hub, and returns its URL.
func serveHub(t *testing.T, w *machines.World, token string) string {
	t.Helper()
	addr := testkit.FreeAddr(t, "127.0.0.1")
	path := filepath.Join(w.Dir, "serve.toml")
	text := fmt.Sprintf("state = %q\n[http]\nlisten = %q\n[autosync-hub]\ntoken = %q\n", filepath.Join(w.Dir, "state"), addr, token)
	if err := errors.Join(os.Mkdir(filepath.Join(w.Dir, "state"), 0o750), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	run(t, w.A.Vext("--config", path, "serve"))
	return "http://" + addr
}

// run runs a program until the test ends.
func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	log := new(testkit.Log)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%q printed:\n%s", cmd.Args, log)
		}
	})
}

// A vext serve of one's own passes pushes on, to those who have the token.
func TestHub(t *testing.T) {
	t.Parallel()
	w := machines.New(t, machines.Options{Machines: 3})
	url := serveHub(t, w, "secret")
	for m, token := range map[*machines.Machine]string{w.A: "secret", w.B: "secret", w.All[2]: "wrong"} {
		m.Configure(fmt.Sprintf("%speers = [%q]\ntoken = %q\n", seldom, url, token), "")
		m.Start()
	}
	awaitLink(t, w.A, machines.Patience, "connected", isConnected)
	awaitLink(t, w.B, machines.Patience, "connected", isConnected)
	awaitLink(t, w.All[2], machines.Patience, "rejected", func(l link) bool { return strings.Contains(l.Error, "token") })
	w.A.Write("f", "f\n")
	w.B.Await("f", "f\n")
	w.B.Write("g", "g\n")
	w.A.Await("g", "g\n")
	time.Sleep(still)
	if w.All[2].Read("f") != "" {
		t.Error("a machine with a wrong token was notified")
	}
	w.Stop()
}

// A vext remote that runs already reports pushes, too; and several links at once are one pull.
func TestOtherRemote(t *testing.T) {
	t.Parallel()
	w := machines.New(t, machines.Options{})
	url := serveHub(t, w, "secret")
	for _, m := range w.All {
		m.Configure(fmt.Sprintf("%speers = [\"remote\", %q]\ntoken = \"secret\"\n", seldom, url), "")
	}
	remote := w.A.Vext("remote", "--foreground", "--no-stdin")
	remote.Dir = w.A.Tree
	run(t, remote)
	time.Sleep(still) // it has the clone first
	w.Start()
	for _, m := range w.All {
		if !testkit.Eventually(machines.Patience, func() bool {
			all := links(m)
			return len(all) == 2 && all[0].Connected && all[1].Connected
		}) {
			t.Fatalf("%s: %+v", m.Name, links(m))
		}
	}
	w.B.Write("f", "f\n")
	w.A.Await("f", "f\n")
	time.Sleep(still)
	w.Equal(machines.Patience)
	w.Stop()
	if log := w.A.Log(); strings.Count(log, "taken in") != 1 {
		t.Errorf("not one pull: %s", log)
	}
}

// A machine is fetched from where it says, and what comes from there counts only when it is
// what was pushed.
func TestDirect(t *testing.T) {
	t.Parallel()
	s := prosody.Start(t, prosody.Options{})
	w := machines.New(t, machines.Options{SSH: true})
	w.Sh("git init -q --bare other.git; git clone -q other.git other 2>/dev/null; cd other; echo x >x; git add x; git commit -qm x; git push -q")
	account := on(s, "romeo", prosody.Password)
	direct, other := sshd.Host+":"+w.B.Tree, sshd.Host+":"+filepath.Join(w.Dir, "other.git")
	w.A.Configure(fmt.Sprintf("%surls = [%q]\n", seldom, other), account)
	w.B.Configure(fmt.Sprintf("%surls = [%q]\n", seldom, direct), account)
	count := traced(t, w.A)
	meet(t, w)
	w.B.Write("f", "f\n")
	w.Equal(machines.Patience)
	if count(direct) == 0 {
		t.Error("the machine itself was not asked")
	}
	w.A.Write("g", "g\n")
	w.Equal(machines.Patience)
	if w.B.Read("g") != "g\n" || w.B.Read("x") != "" {
		t.Error("it was not fetched from the server")
	}
	w.Stop()
	w.Check()
}
