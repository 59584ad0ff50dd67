// Package machines runs vext autosync, or another program, on clones of one repository
// that stand for the machines of one person.
package machines

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/sshd"
)

// Patience is how long a test waits for what should come at once.
const Patience = 40 * time.Second

// A World is a server's repository and the machines that have clones of it.
type World struct {
	Dir    string
	Server string       // bare
	SSH    *sshd.Server // nil without
	A, B   *Machine     // the first two
	All    []*Machine

	t testing.TB
}

// Options say what a World is like.
type Options struct {
	Machines int               // 0 for two
	SSH      bool              // the server is reached over ssh
	Table    string            // lines of each [[autosync]]
	Config   string            // what else each configuration has
	Files    map[string]string // of the first commit, beside README
	Scratch  string            // the directory; "" for testkit.Scratch
}

// fast are the lines of a table with which tests need not wait.
const fast = "quiet = \"200ms\"\npush_after = \"200ms\"\npull_every = \"1s\"\nnotify = false\n"

// New makes a World, which goes with the test. Nothing runs in it yet.
func New(t testing.TB, o Options) *World {
	t.Helper()
	testkit.Program(t, "git")
	w := &World{Dir: o.Scratch, t: t}
	if w.Dir == "" {
		w.Dir = testkit.Scratch(t)
	}
	w.Server = filepath.Join(w.Dir, "server.git")
	url := w.Server
	if o.SSH {
		w.SSH = sshd.Start(t, "AcceptEnv GIT_PROTOCOL")
		url = sshd.Host + ":" + w.Server
	}
	for i := range max(o.Machines, 2) {
		w.All = append(w.All, w.machine(string(rune('a'+i))))
	}
	w.A, w.B = w.All[0], w.All[1]
	w.A.Sh("git init -q --bare " + w.Server)
	w.A.Write("README", "readme\n")
	for name, content := range o.Files {
		w.A.Write(name, content)
	}
	w.A.Git("init -q")
	w.A.Git("add .")
	w.A.Git("commit -qm one")
	w.A.Git("remote add origin " + url)
	w.A.Git("push -q -u origin main")
	for _, m := range w.All[1:] {
		w.ok(os.Remove(m.Tree))
		m.run(w.Dir, "git", "clone", "-q", url, m.Tree)
	}
	for _, m := range w.All {
		m.Configure(o.Table, o.Config)
	}
	return w
}

func (w *World) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// machine makes the home and the empty tree of a machine.
func (w *World) machine(name string) *Machine {
	w.t.Helper()
	home := filepath.Join(w.Dir, name)
	m := &Machine{Name: name, Home: home, Tree: filepath.Join(home, "tree"), w: w, t: w.t}
	w.ok(os.MkdirAll(m.Tree, 0o755))
	w.ok(os.Mkdir(filepath.Join(home, "run"), 0o700))
	text := fmt.Sprintf("[user]\nname = Jane Miller\nemail = jane@%s.example.org\n[init]\ndefaultBranch = main\n[core]\nfsync = none\n[gc]\nauto = 0\n[maintenance]\nauto = 0\n", name)
	if w.SSH != nil {
		text += "[core]\nsshCommand = ssh -F " + w.SSH.Config + "\n"
	}
	w.ok(os.WriteFile(filepath.Join(home, ".gitconfig"), []byte(text), 0o600))
	m.Env = append(testkit.EnvWithout("GIT_", "SSH_", "XDG_", "VEXT_", "DBUS_", "NOTIFY_SOCKET"),
		"HOME="+home, "GIT_CONFIG_NOSYSTEM=1", "XDG_RUNTIME_DIR="+filepath.Join(home, "run"), "XDG_CONFIG_HOME="+filepath.Join(home, "config"))
	return m
}

// Sh runs a script in the directory of the world.
func (w *World) Sh(script string) {
	w.t.Helper()
	if out, err := w.A.run(w.Dir, "sh", "-ec", script); err != nil {
		w.t.Fatalf("%s: %v: %s", script, err, out)
	}
}

// Start starts the program on all machines.
func (w *World) Start() {
	w.t.Helper()
	for _, m := range w.All {
		m.Start()
	}
}

// Stop ends the program on all machines.
func (w *World) Stop() {
	w.t.Helper()
	for _, m := range w.All {
		if m.Running() {
			m.Stop()
		}
	}
}

// Heads returns the last commit of each machine and of the server.
func (w *World) Heads() []string {
	var heads []string
	for _, m := range w.All {
		head, _ := m.Try("git rev-parse main")
		heads = append(heads, head)
	}
	head, _ := w.A.Try("git -C " + w.Server + " rev-parse main")
	return append(heads, head)
}

// Difference says why the machines are not all equal and clean, "" if they are.
func (w *World) Difference() string {
	for _, m := range w.All { // before the heads are read, which a commit changes
		if dirty, err := m.Try("git --no-optional-locks status --porcelain"); dirty != "" || err != nil {
			return fmt.Sprintf("%s is not clean: %s", m.Name, dirty)
		}
	}
	heads := w.Heads()
	if len(slices.Compact(slices.Clone(heads))) != 1 {
		return fmt.Sprintf("the heads differ: %s", heads)
	}
	return ""
}

// Equal waits until all machines and the server have the same commit and nothing else.
func (w *World) Equal(within time.Duration) {
	w.t.Helper()
	differ := ""
	if !testkit.Eventually(within, func() bool { differ = w.Difference(); return differ == "" }) {
		w.t.Fatalf("after %s: %s", within, differ)
	}
}

// Check checks what must be so at any time: every machine is on its branch, no file has
// conflict markers, no lock is left, and the repositories are intact.
func (w *World) Check() {
	w.t.Helper()
	for _, m := range w.All {
		if head, err := m.Try("git symbolic-ref HEAD"); head != "refs/heads/main" || err != nil {
			w.t.Errorf("%s: HEAD is %q", m.Name, head)
		}
		if found, _ := m.Try(`git grep -nE '^(<<<<<<<|>>>>>>>|\|\|\|\|\|\|\|)' $(git rev-list --all --since=2000-01-01 | head -n 2000) -- | head -n 5`); found != "" {
			w.t.Errorf("%s: conflict markers: %s", m.Name, found)
		}
		if found, _ := m.Try("find .git -name '*.lock'"); found != "" {
			w.t.Errorf("%s: locks: %s", m.Name, found)
		}
		for _, name := range []string{"MERGE_HEAD", "rebase-merge", "rebase-apply", "CHERRY_PICK_HEAD"} {
			if _, err := os.Lstat(filepath.Join(m.Tree, ".git", name)); err == nil {
				w.t.Errorf("%s: %s is left", m.Name, name)
			}
		}
		if out, err := m.Try("git fsck --no-dangling 2>&1"); err != nil {
			w.t.Errorf("%s: git fsck: %s", m.Name, out)
		}
	}
	if out, err := w.A.Try("git -C " + w.Server + " fsck --no-dangling 2>&1"); err != nil {
		w.t.Errorf("server: git fsck: %s", out)
	}
}

// Lines returns all lines that the history of the server's branch has.
func (w *World) Lines() map[string]bool {
	w.t.Helper()
	cmd := exec.Command("sh", "-c", "git rev-list --objects main | cut -d' ' -f1 | git cat-file --batch='%(objecttype)'")
	cmd.Dir, cmd.Env = w.Server, w.A.Env
	out, err := cmd.Output()
	w.ok(err)
	lines := map[string]bool{}
	for line := range bytes.Lines(out) {
		lines[strings.TrimRight(string(line), "\n")] = true
	}
	return lines
}
