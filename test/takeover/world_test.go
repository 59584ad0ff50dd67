package takeover

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/ircd"
)

// A world is a copy of the state directory, with its configuration, its
// repositories, and an IRC server that stands for every network.
type world struct {
	t          *testing.T
	dir, state string
	now        time.Time // by the clock of the programs
	recorders  []*ircd.Recorder
}

// fixture is where the state directory and what belongs to it is kept.
const fixture = "../../testdata/takeover"

func newWorld(t *testing.T) *world {
	testkit.Program(t, "git")
	server := ircd.Start(t, ircd.Options{Kind: ircd.Ngircd})
	proxy := ircd.NewSocks(t, "", "")
	proxy.Redirect(server.Addr)
	dir := t.TempDir()
	w := &world{t: t, dir: dir, state: filepath.Join(dir, "state"), now: begin}
	for _, channel := range []string{"#src", "#ports", "#net", "#commits", "#ops"} {
		w.recorders = append(w.recorders, ircd.Record(t, server.Addr, nil, "", "ear"+channel[1:], channel))
	}
	w.recorders = append(w.recorders, ircd.Record(t, server.Addr, nil, "", "jane"))
	if err := os.Symlink(testkit.ClockedPrograms(t), filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}
	w.copy("vext.toml", "vext.toml", 0o600)
	config := filepath.Join(dir, "vext.toml")
	text, err := os.ReadFile(config)
	if err == nil {
		err = os.WriteFile(config, []byte(strings.ReplaceAll(string(text), "PROXY", "socks5://"+proxy.Addr)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.copyState()
	for _, name := range []string{"widget", "tools"} {
		w.run("git", "clone", "--quiet", "--bare", filepath.Join(fixture, name+".bundle"), filepath.Join(dir, name+".git"))
	}
	w.copy("post-receive", "tools.git/hooks/post-receive", 0o755)
	return w
}

// copyState copies the state directory, as if its files had been written shortly
// before the new version begins.
func (w *world) copyState() {
	for _, dir := range []string{"tmp", "irc"} { // of which git keeps none, or not the mode
		if err := os.MkdirAll(filepath.Join(w.state, dir), 0o700); err != nil {
			w.t.Fatal(err)
		}
	}
	err := filepath.WalkDir(filepath.Join(fixture, "state"), func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(fixture, path)
		if entry.IsDir() {
			return os.MkdirAll(filepath.Join(w.dir, name), 0o750)
		}
		w.copy(name, name, 0o640)
		return os.Chtimes(filepath.Join(w.dir, name), time.Time{}, begin.Add(-8*time.Hour))
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// copy copies a file of the fixture; in all but databases DIR is the directory
// of the test.
func (w *world) copy(from, to string, mode os.FileMode) {
	data, err := os.ReadFile(filepath.Join(fixture, from))
	if err != nil {
		w.t.Fatal(err)
	}
	if filepath.Ext(from) != ".db" {
		data = []byte(strings.ReplaceAll(string(data), "DIR/", w.dir+"/"))
	}
	if err := os.WriteFile(filepath.Join(w.dir, to), data, mode); err != nil {
		w.t.Fatal(err)
	}
}

// command returns a program as it runs at the world's time.
func (w *world) command(name string, args ...string) *exec.Cmd {
	if name == "vext" || name == "vext-filter" {
		name = filepath.Join(w.dir, "bin", name)
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "HOME="+w.dir, "GIT_CONFIG_NOSYSTEM=1", testkit.AtTime(w.now))
	return cmd
}

func (w *world) run(name string, args ...string) string {
	w.t.Helper()
	cmd := w.command(name, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("%s %q: %v\n%s%s", name, args, err, out, &stderr)
	}
	return string(out)
}

// vext runs a command and returns its standard output.
func (w *world) vext(args ...string) string {
	w.t.Helper()
	return w.run("vext", append([]string{"--config", filepath.Join(w.dir, "vext.toml")}, args...)...)
}

// try is vext for a command that may fail, and returns its exit status.
func (w *world) try(args ...string) (stdout string, status int) {
	cmd := w.command("vext", append([]string{"--config", filepath.Join(w.dir, "vext.toml")}, args...)...)
	out, err := cmd.Output()
	if cmd.ProcessState == nil {
		w.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// serve starts vext serve, and returns what stops it.
func (w *world) serve() (stop func()) {
	log, err := os.Create(filepath.Join(w.dir, "log"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer log.Close()
	cmd := w.command("vext", "--config", filepath.Join(w.dir, "vext.toml"), "serve")
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { cmd.Process.Kill() })
	return func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			w.t.Errorf("vext serve: %v", err)
		}
	}
}

func (w *world) log() string {
	text, _ := os.ReadFile(filepath.Join(w.dir, "log"))
	return string(text)
}

// received returns what was said on IRC.
func (w *world) received() []ircd.Received {
	var all []ircd.Received
	for _, r := range w.recorders {
		all = append(all, r.Received("")...)
	}
	return all
}

// hash returns the hash of a commit: its own, or one made of its name as
// make.sh makes it.
func (w *world) hash(name string) string {
	for _, repository := range []string{"widget", "tools"} {
		if strings.HasPrefix(name, repository) {
			return strings.TrimSpace(w.run("git", "-C", filepath.Join(w.dir, repository+".git"), "log", "--all", "--format=%H", "--grep=^"+name+"$"))
		}
	}
	sum := sha1.Sum([]byte(name))
	return hex.EncodeToString(sum[:])
}

// filter gives the mail of a commit to vext-filter.
func (w *world) filter(name string) {
	w.t.Helper()
	repository := "src"
	if strings.HasPrefix(name, "widget") {
		repository = "widget"
	}
	text := fmt.Sprintf(`From: dave <dave@example.org>
To: commits@example.org
Date: Mon, 30 Nov 2026 17:00:00 +0000
Message-Id: <again-%[1]s@example.org>
Subject: git: %.12[2]s - main - %[1]s
X-Git-Committer: dave
X-Git-Repository: %[3]s
X-Git-Refname: refs/heads/main
X-Git-Commit: %[2]s

commit %[2]s
Commit:     dave <dave@example.org>

    %[1]s

    MFC after: 0 days
---
`, name, w.hash(name), repository)
	cmd := w.command("vext-filter", "-state", w.state)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("vext-filter: %v\n%s", err, out)
	}
}

// push pushes a new commit to the repository with the hook.
func (w *world) push(name string) {
	w.t.Helper()
	work := filepath.Join(w.dir, "work")
	w.run("git", "clone", "--quiet", "--branch", "main", filepath.Join(w.dir, "tools.git"), work)
	date := begin.Format(time.RFC3339)
	cmd := w.command("git", "-C", work, "-c", "user.name=dave", "-c", "user.email=dave@example.org", "commit", "--quiet", "--allow-empty", "-m", name, "-m", "MFC after: 0 days")
	cmd.Env = append(cmd.Env, "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date)
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("git commit: %v\n%s", err, out)
	}
	w.run("git", "-C", work, "push", "--quiet", "origin", "main")
}
