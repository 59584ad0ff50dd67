// Package remotedaemon runs a daemon that watches the remotes of a clone, vext remote or
// git-annex's remotedaemon, which have one protocol, against real repositories.
package remotedaemon

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/sshd"
)

// Patience is how long a test waits for what should come at once.
const Patience = 30 * time.Second

// A World is a server's repository, a clone that pushes there, and the clone that a daemon
// watches.
type World struct {
	Dir    string
	Server string // bare
	Other  string // pushes by the path, which is fast
	Local  string
	SSH    *sshd.Server // nil without a remote over ssh
	Env    []string     // of the daemon and of git

	t      testing.TB
	pushes atomic.Int64
}

// Options say what a World is like. Without any, the remote origin of Local is the path of
// the server.
type Options struct {
	SSH   bool // origin is reached over ssh
	Annex bool // git-annex has set up the server and Local
	// Far are the programs of the far side beside git; nil for what is installed here.
	Far      []string
	NoRemote bool // Local has no origin
}

// New makes a World, which goes with the test.
func New(t testing.TB, o Options) *World {
	t.Helper()
	testkit.Program(t, "git")
	w := &World{t: t}
	w.place(testkit.Scratch(t))
	w.copyOf(o.Annex)
	w.Sh("mkdir r; git -C other remote set-url origin " + w.Server)
	url := w.Server
	if o.SSH {
		w.SSH = sshd.Start(t, "AcceptEnv GIT_PROTOCOL")
		w.Sh("cp home/.gitconfig " + w.SSH.Home)
		w.UseSSH(w.SSH, o.Far)
		url = w.URL()
	}
	if !o.NoRemote {
		w.InLocal("git remote add origin " + url + "; git fetch -q origin; git checkout -q -B main --track origin/main")
	}
	return w
}

// place puts the world into a directory.
func (w *World) place(dir string) {
	w.Dir, w.Server, w.Other, w.Local = dir, filepath.Join(dir, "server.git"), filepath.Join(dir, "other"), filepath.Join(dir, "local")
	w.Env = append(testkit.EnvWithout("GIT_", "SSH_", "XDG_"), "HOME="+filepath.Join(dir, "home"), "GIT_CONFIG_NOSYSTEM=1", "XDG_RUNTIME_DIR="+filepath.Join(dir, "r"))
}

// templates are archives of the repositories, because git-annex takes a second to set
// them up.
var (
	templates = map[bool][]byte{}
	making    sync.Mutex
)

// copyOf fills the world from the template.
func (w *World) copyOf(annex bool) {
	w.t.Helper()
	if annex {
		testkit.Program(w.t, "git-annex")
	}
	making.Lock()
	defer making.Unlock()
	if templates[annex] == nil {
		templates[annex] = w.template(annex)
		return
	}
	cmd := exec.Command("tar", "xf", "-", "-C", w.Dir)
	cmd.Stdin = bytes.NewReader(templates[annex])
	w.ok(cmd.Run())
}

// template sets up the repositories, and returns their archive.
func (w *World) template(annex bool) []byte {
	w.t.Helper()
	w.ok(os.Mkdir(filepath.Join(w.Dir, "home"), 0o700))
	w.ok(os.WriteFile(filepath.Join(w.Dir, "home", ".gitconfig"), []byte("[user]\nname = Jane Miller\nemail = jane@example.org\n[init]\ndefaultBranch = main\n"+
		"[gc]\nauto = 0\n[maintenance]\nauto = 0\n[core]\nfsync = none\n[advice]\ndetachedHead = false\n"), 0o600))
	w.Sh("git init -q --bare server.git; git init -q other; git init -q local; git -C other remote add origin " + w.Server)
	w.Push("echo one > file; git add file; git commit -qm one; git push -q origin main")
	if annex {
		w.InServer("git annex init -q server")
		w.InLocal("git annex init -q local")
	}
	out, err := exec.Command("tar", "cf", "-", "-C", w.Dir, ".").Output()
	w.ok(err)
	return out
}

// UseSSH has Local reach hosts by the configuration of a server, whose far side has the
// programs beside git.
func (w *World) UseSSH(s *sshd.Server, far []string) {
	w.t.Helper()
	w.InLocal("git config core.sshCommand 'ssh -F " + s.Config + "'; git config annex.ssh-options '-F " + s.Config + "'")
	if far != nil {
		s.Force(w.only(far))
	}
}

// only returns a command for sshd that runs what the client asks for where there are no
// other programs than these and git's.
func (w *World) only(far []string) string {
	w.t.Helper()
	bin := filepath.Join(w.Dir, fmt.Sprintf("far%d", w.pushes.Add(1)))
	w.ok(os.Mkdir(bin, 0o700))
	for _, name := range append([]string{"git", "git-upload-pack", "git-receive-pack", "sh", "cat", "sleep"}, far...) {
		path := name
		if !filepath.IsAbs(name) {
			path = testkit.Program(w.t, name)
		}
		w.ok(os.Symlink(path, filepath.Join(bin, filepath.Base(name))))
	}
	return "PATH=" + bin + "; export PATH; exec sh -c \"$SSH_ORIGINAL_COMMAND\""
}

// URL returns the server's repository over ssh in scp's form; URI is what the protocol
// calls it.
func (w *World) URL() string { return sshd.Host + ":" + w.Server }

// URI is what the protocol calls origin.
func (w *World) URI() string {
	if w.SSH != nil {
		return "ssh://" + sshd.Host + w.Server
	}
	return w.Server
}

func (w *World) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// Command returns a command in a directory of the world.
func (w *World) Command(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = filepath.Join(w.Dir, dir), w.Env
	return cmd
}

// Try runs a script in a directory of the world, and returns what it prints.
func (w *World) Try(dir, script string) (string, error) {
	cmd := w.Command(dir, "sh", "-ec", script)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return strings.TrimSuffix(out.String(), "\n"), err
}

func (w *World) in(dir, script string) string {
	w.t.Helper()
	out, err := w.Try(dir, script)
	if err != nil {
		w.t.Fatalf("%s: %s: %v: %s", dir, script, err, out)
	}
	return out
}

// Sh, Push, InLocal and InServer run a script in the world, in Other, in Local, and in
// the server's repository.
func (w *World) Sh(script string) string       { w.t.Helper(); return w.in(".", script) }
func (w *World) Push(script string) string     { w.t.Helper(); return w.in("other", script) }
func (w *World) InLocal(script string) string  { w.t.Helper(); return w.in("local", script) }
func (w *World) InServer(script string) string { w.t.Helper(); return w.in("server.git", script) }

// Commit makes a commit in Other and pushes it to a branch.
func (w *World) Commit(branch string) {
	w.t.Helper()
	w.Push(fmt.Sprintf("git commit -q --allow-empty -m 'commit %d'; git push -q origin HEAD:refs/heads/%s", w.pushes.Add(1), branch))
}

// Difference says how the branches of a remote differ from those that Local has of it; it
// is empty when they are the same.
func (w *World) Difference(remote string) string {
	theirs := w.refs("server.git", "refs/heads/", "refs/heads/")
	ours := w.refs("local", "refs/remotes/"+remote+"/", "refs/remotes/"+remote+"/")
	delete(ours, "HEAD")
	var differ []string
	for _, name := range slices.Sorted(maps.Keys(theirs)) {
		if ours[name] != theirs[name] {
			differ = append(differ, fmt.Sprintf("%s is %.7s, not %.7s", name, ours[name], theirs[name]))
		}
		delete(ours, name)
	}
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		differ = append(differ, name+" is not deleted")
	}
	return strings.Join(differ, ", ")
}

func (w *World) refs(dir, prefix, cut string) map[string]string {
	w.t.Helper()
	all := map[string]string{}
	for line := range strings.Lines(w.in(dir, "git for-each-ref --format='%(objectname) %(refname)' "+prefix)) {
		value, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		all[strings.TrimPrefix(name, cut)] = value
	}
	return all
}

// Equal waits until Local has what the server has, and fails the test when it does not
// come.
func (w *World) Equal(remotes ...string) {
	w.t.Helper()
	if len(remotes) == 0 {
		remotes = []string{"origin"}
	}
	for _, remote := range remotes {
		differ := ""
		if !testkit.Eventually(Patience, func() bool { differ = w.Difference(remote); return differ == "" }) {
			w.t.Errorf("%s: %s", remote, differ)
		}
	}
}

// Refs gives the server n more branches, which Local has, too. They are packed.
func (w *World) Refs(n int) {
	w.t.Helper()
	at := w.InServer("git rev-parse main")
	for dir, prefix := range map[string]string{w.Server: "refs/heads/", w.Local + "/.git": "refs/remotes/origin/"} {
		text := fmt.Appendf(nil, "# pack-refs with: peeled fully-peeled sorted \n")
		for i := range n {
			text = fmt.Appendf(text, "%s %smany/%06d\n", at, prefix, i)
		}
		w.ok(os.WriteFile(filepath.Join(dir, "packed-refs"), text, 0o600))
	}
}

// Commits makes n commits in the server's repository, each the child of the one before,
// the first of main, and returns them. No ref has them.
func (w *World) Commits(n int) []string {
	w.t.Helper()
	return strings.Fields(w.InServer(fmt.Sprintf("c=$(git rev-parse main); for n in $(seq %d); do c=$(git commit-tree -p $c -m $n main^{tree}); echo $c; done", n)))
}

// Write writes a ref of the server as git does, which takes no time.
func (w *World) Write(ref, commit string) {
	w.t.Helper()
	path := filepath.Join(w.Server, ref)
	w.ok(os.MkdirAll(filepath.Dir(path), 0o755))
	w.ok(os.WriteFile(path+".lock", []byte(commit+"\n"), 0o644))
	w.ok(os.Rename(path+".lock", path))
}
