package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/internal/disk"
	"vext/internal/testkit"
	"vext/source/remote"
)

// endWatched kills each vext remote of the clones below dir, which a failed test leaves.
func endWatched(dir string) {
	filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "/vext/pid") {
			return nil
		}
		file, err := os.Open(path)
		if err != nil {
			return nil
		}
		defer file.Close()
		text, _ := os.ReadFile(path)
		if pid, _ := strconv.Atoi(strings.TrimSpace(string(text))); pid > 1 && disk.IsLocked(file) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		return nil
	})
}

// A remoteTest is a clone, and vext as a user runs it.
type remoteTest struct {
	t           *testing.T
	dir, clone  string
	environment []string
	user        *syscall.Credential
}

func newRemoteTest(t *testing.T) *remoteTest {
	r := &remoteTest{t: t, dir: t.TempDir()}
	t.Cleanup(func() { endWatched(r.dir) })
	r.clone = filepath.Join(r.dir, "clone")
	r.environment = append(os.Environ(), "HOME="+r.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org",
		"GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org")
	r.must(testkit.Program(t, "git"), "init", "-q", "server")
	r.must("git", "-C", "server", "commit", "-q", "--allow-empty", "-m", "one")
	r.must("git", "clone", "-q", "server", "clone")
	return r
}

func (r *remoteTest) command(name string, args ...string) *exec.Cmd {
	if name == "vext" {
		name = filepath.Join(testkit.Programs(r.t), "vext")
	}
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = r.dir, r.environment
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: r.user}
	return cmd
}

func (r *remoteTest) must(name string, args ...string) string {
	r.t.Helper()
	var stderr bytes.Buffer
	cmd := r.command(name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(r.clone, ".git", "vext", "log"))
		r.t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, &stderr, log)
	}
	return string(out)
}

func (r *remoteTest) status() (s remote.Status) {
	r.t.Helper()
	if err := json.Unmarshal([]byte(r.must("vext", "remote", "-C", "clone", "status", "--json")), &s); err != nil {
		r.t.Fatal(err)
	}
	return s
}

// A killed daemon leaves nothing that prevents the next one.
func TestRemoteKilled(t *testing.T) {
	for _, name := range []string{"beside the pipe", "elsewhere"} {
		t.Run(name, func(t *testing.T) {
			r := newRemoteTest(t)
			if name == "elsewhere" {
				deep := filepath.Join(r.dir, strings.Repeat("d", 100))
				if err := errors.Join(os.Mkdir(deep, 0o700), os.Rename(r.clone, filepath.Join(deep, "clone")), os.Symlink(filepath.Join(deep, "clone"), r.clone)); err != nil {
					t.Fatal(err)
				}
			}
			tmp := filepath.Join(r.dir, "tmp")
			r.environment = append(r.environment, "XDG_RUNTIME_DIR=", "TMPDIR="+tmp)
			if err := os.Mkdir(tmp, 0o700); err != nil {
				t.Fatal(err)
			}
			seen := map[int]bool{}
			for range 3 {
				r.must("vext", "remote", "-C", "clone")
				pid := r.status().PID
				if seen[pid] {
					t.Fatalf("it is process %d again", pid)
				}
				seen[pid] = true
				syscall.Kill(pid, syscall.SIGKILL)
				for isHeld(t, filepath.Join(r.clone, ".git", "vext", "pid")) {
					time.Sleep(time.Millisecond)
				}
			}
			out, err := r.command("vext", "remote", "status", "-C", "clone").CombinedOutput()
			if err == nil || !strings.Contains(string(out), "no vext remote watches") {
				t.Errorf("%v: %s", err, out)
			}
			r.must("vext", "remote", "-C", "clone")
			r.must("vext", "remote", "-C", "clone", "send", "STOP")
			left, err := os.ReadDir(tmp)
			if err != nil || len(left) > 0 {
				t.Errorf("it has left %v, %v", left, err)
			}
		})
	}
}

// isHeld reports whether a process has the lock of a file.
func isHeld(t *testing.T, path string) bool {
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	return disk.IsLocked(file)
}

// Many that start at once agree on one.
func TestRemoteStartedTogether(t *testing.T) {
	r := newRemoteTest(t)
	const tries = 6
	results := make(chan error)
	for range tries {
		go func() { results <- r.command("vext", "remote", "-C", "clone").Run() }()
	}
	started := 0
	for range tries {
		if <-results == nil {
			started++
		}
	}
	if started != 1 {
		t.Errorf("%d of %d have started", started, tries)
	}
	r.must("vext", "remote", "-C", "clone", "send", "STOP")
}

// The background keeps no open file of the caller, such as a lock, and no pipe.
func TestRemoteKeepsNothingOpen(t *testing.T) {
	r := newRemoteTest(t)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := r.command("vext", "remote", "-C", "clone")
	cmd.ExtraFiles = []*os.File{write, write}
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	read.SetReadDeadline(time.Now().Add(10 * time.Second))
	for line := make([]byte, 1000); err == nil; {
		_, err = read.Read(line)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("it keeps a pipe open")
	}
	r.must("vext", "remote", "-C", "clone", "send", "STOP")
}

// Whoever may not write in the git directory gets an error.
func TestRemoteReadOnly(t *testing.T) {
	r := newRemoteTest(t)
	if os.Getuid() == 0 {
		r.user = &syscall.Credential{Uid: 65534, Gid: 65534}
		for dir := r.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
			os.Chmod(dir, 0o755)
		}
		os.Chmod(testkit.Programs(t), 0o755)
		r.environment = append(r.environment, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")
	} else {
		git := filepath.Join(r.clone, ".git")
		os.Chmod(git, 0o555)
		t.Cleanup(func() { os.Chmod(git, 0o755) })
	}
	for _, args := range [][]string{{}, {"--foreground"}} {
		out, err := r.command("vext", append([]string{"remote", "-C", "clone"}, args...)...).CombinedOutput()
		for _, want := range []string{"/clone/.git can't be watched: mkdir ", "permission denied\n", "vext: hint: whoever watches a clone must be able to write"} {
			if err == nil || !strings.Contains(string(out), want) {
				t.Errorf("%v, without %q: %s", err, want, out)
			}
		}
	}
}

func TestPrintRemotes(t *testing.T) {
	now := time.Date(2026, 12, 4, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	status := &remote.Status{Dir: "/home/jane/wid\nget/.git", PID: 1234, Started: ago(time.Hour), Remotes: []remote.RemoteStatus{
		{Name: "origin", Transport: "ssh, git-annex", State: "connected", Changed: ago(3 * time.Minute), Fetched: ago(49 * time.Hour)},
		{Name: "upstream", Transport: "poll, every 30s", State: "waiting", Retry: now.Add(90 * time.Second), Changed: ago(365 * 24 * time.Hour), Error: "connection \x1b[31mrefused"},
	}}
	var out strings.Builder
	printRemotes(&out, style{}, status, now, time.UTC)
	want := `/home/jane/wid?get/.git is watched by process 1234, since Fri 4 Dec 2026 11:00, 1 hour ago
REMOTE    TRANSPORT        STATE       LAST CHANGE      LAST FETCH       NEXT TRY
origin    ssh, git-annex   connected   3 minutes ago    Wed 2 Dec        -
upstream  poll, every 30s  waiting     Thu 4 Dec 2025   never            12:01:30
          connection ?[31mrefused
`
	if got := out.String(); got != want {
		t.Errorf("%s\ninstead of\n%s", got, want)
	}
}
