package main

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/internal/socket"
	"vext/internal/testkit"
	"vext/server/control"
)

// A host is a machine with a vext serve and users.
type host struct {
	t                   *testing.T
	dir, bin            string
	state, conf, socket string
	said                []string // by the commands that want ran
}

const hostConfig = `operator = "ops@example.org"
[reminders]
allow = ["*@example.org"]
[mail]
from = "mfc@example.org"
via = "stdout:"
[control]
socket = "%SOCKET%"
domain = "example.org"
[users]
daemon = ["jane.miller@example.org", "jane@example.org"]
nobody = "ida@example.org"
www-data = []
`

// newHost returns a host whose service is the user bin. Nobody else can read its
// state or its configuration.
func newHost(t *testing.T) *host {
	testkit.Root(t)
	if !socket.PeerKnown {
		t.Skip(socket.ErrNoPeer)
	}
	if err := socket.SeesUsers(); err != nil {
		t.Skip(err)
	}
	dir, err := os.MkdirTemp("", "vext-host-") // t.TempDir is for its owner alone
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &host{t: t, dir: dir, bin: testkit.Programs(t), state: filepath.Join(dir, "state"), conf: filepath.Join(dir, "vext.toml"), socket: filepath.Join(dir, "run", "control")}
	check(t, os.Chmod(dir, 0o755))
	check(t, os.Chmod(h.bin, 0o755))
	check(t, os.WriteFile(h.conf, []byte(strings.ReplaceAll(hostConfig, "%SOCKET%", h.socket)), 0o640))
	uid, gid := h.user("bin")
	for _, dir := range []string{h.state, filepath.Dir(h.socket)} {
		check(t, os.Mkdir(dir, 0o750))
		check(t, os.Chown(dir, int(uid), int(gid)))
	}
	check(t, os.Chmod(filepath.Dir(h.socket), 0o755))
	check(t, os.Chown(h.conf, int(uid), int(gid)))
	return h
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// user returns the IDs of a user that the test needs.
func (h *host) user(name string) (uid, gid uint32) {
	h.t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		testkit.Missing(h.t, "there is no user "+name)
	}
	n, _ := strconv.ParseUint(u.Uid, 10, 32)
	m, _ := strconv.ParseUint(u.Gid, 10, 32)
	return uint32(n), uint32(m)
}

// command is a program run by a user, with these variables beside the usual ones.
func (h *host) command(name string, env []string, args ...string) *exec.Cmd {
	uid, gid := h.user(name)
	cmd := exec.Command(filepath.Join(h.bin, args[0]), args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "VEXT_CONFIG=" + h.conf}, env...)
	cmd.Dir = h.dir
	return cmd
}

// want runs a command as a user and wants its exit status and a part of what it
// prints.
func (h *host) want(name string, status int, want string, args ...string) {
	h.t.Helper()
	var env []string
	for strings.Contains(args[0], "=") {
		env, args = append(env, args[0]), args[1:]
	}
	cmd := h.command(name, env, append([]string{"vext"}, args...)...)
	out, _ := cmd.CombinedOutput()
	h.said = append(h.said, string(out))
	if got := cmd.ProcessState.ExitCode(); got != status || !strings.Contains(string(out), want) {
		h.t.Errorf("%s: vext %s: status %d and\n%s\nwant %d and %s", name, strings.Join(args, " "), got, out, status, want)
	}
}

var after = regexp.MustCompile(`MFC after:.*`)

// spool puts mails of testdata into the state, due on a day that no clock is
// near, and gives them that day.
func (h *host) spool(files ...string) {
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join("../../testdata/mails", file))
		check(h.t, err)
		data = after.ReplaceAll(data, []byte("MFC after: 2035-12-04"))
		filter := h.command("bin", nil, "vext-filter", "-state", h.state)
		filter.Stdin = bytes.NewReader(data)
		if out, err := filter.CombinedOutput(); err != nil {
			h.t.Fatalf("%v: %s", err, out)
		}
	}
	if out, err := h.command("bin", nil, "vext", "--state", h.state, "--now", "2026-11-20", "run").CombinedOutput(); err != nil {
		h.t.Fatalf("%v: %s", err, out)
	}
}

// serve runs vext serve until the function that it returns is called.
func (h *host) serve() (stop func()) {
	serve := h.command("bin", nil, "vext", "--state", h.state, "serve")
	var log bytes.Buffer
	serve.Stderr = &log
	check(h.t, serve.Start())
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("unix", h.socket); err == nil {
			conn.Close()
			break
		}
		if time.Now().After(until) {
			serve.Process.Kill()
			serve.Wait()
			h.t.Fatalf("vext serve does not listen:\n%s", log.String())
		}
	}
	return func() {
		serve.Process.Signal(syscall.SIGTERM)
		if err := serve.Wait(); err != nil {
			h.t.Errorf("vext serve: %v\n%s", err, log.String())
		}
	}
}

// Committers use their mails' commands without any right on the state: each sees
// and changes what goes to them, and can't distinguish what goes to others from what is
// not there. The history says who it was.
func TestControlSocket(t *testing.T) {
	for _, path := range control.Paths {
		if _, err := os.Lstat(path); err == nil {
			t.Skip("this machine has a vext serve")
		}
	}
	h := newHost(t)
	h.spool("git-freebsd.eml", "plain.eml")
	by := "VEXT_CONTROL=" + h.socket
	h.want("daemon", 1, "vext: error: vext serve does not answer at "+h.socket+"\n", by, "show", "0a1b")

	stop := h.serve()
	defer stop()
	h.want("daemon", 0, "foo: fix bar\n  state      due Tue 4 Dec 2035", by, "show", "0a1b")
	h.want("daemon", 0, "\"address\": \"jane@example.org\"", by, "show", "--json", "0a1b")
	h.want("daemon", 0, "\nSubject: git: 0a1b2c3d4e5f", by, "show", "--raw", "0a1b")
	h.want("daemon", 2, "vext: error: --json and --raw exclude each other\n", by, "show", "--raw", "--json", "0a1b")
	h.want("daemon", 2, "vext: error: snooze takes an ID and a period, and got 1 argument\nvext: hint: see vext help snooze\n", by, "snooze", "0a1b")
	h.want("daemon", 2, "vext: error: \"soon\": not a time such as ", by, "snooze", "0a1b", "soon")
	h.want("daemon", 2, "vext: error: --now can't be used through the control socket: ", by, "show", "0a1b", "--now", "2026-11-20")
	h.want("daemon", 1, "permission denied\nvext: hint: run vext as the user that owns the state directory; that user must be able to read this file\n", by, "--state", h.state, "show", "0a1b")
	for _, command := range []string{"list", "log", "stats"} {
		h.want("daemon", 1, "permission denied\nvext: hint: you can show, snooze and cancel your own reminders here, by the ID in the mail\n", by, command)
	}
	h.want("daemon", 2, "you can show, snooze and cancel your own reminders here", by, "check")
	h.want("daemon", 0, "snoozed until Thu 20 Dec 2035, in ", by, "snooze", "0a1b", "2035-12-20")
	h.want("daemon", 0, "snoozed until Thu 20 Dec 2035 by daemon\n", by, "show", "0a1b")
	h.want("daemon", 0, "marked not wanted on stable/14: 0a1b", by, "mark", "0a1b", "not-wanted", "--on", "stable/14")
	h.want("daemon", 0, "marked not wanted on stable/14 by daemon\n", by, "show", "0a1b")
	h.want("nobody", 1, "vext: error: no such reminder: 0a1b\n", by, "mark", "0a1b", "done")
	h.want("daemon", 0, "no longer marked not wanted: 0a1b", by, "mark", "0a1b", "not-wanted", "--undo")

	h.want("daemon", 1, "vext: hint: there is no control socket of vext serve at ", "show", "0a1b")

	const none = "vext: error: no such reminder: "
	for _, id := range []string{"0a1b", "202611200930.A1@git.example.org", "0000", "plain-2@example.org"} {
		h.want("nobody", 1, none+id+"\nvext: hint: an ID stands in the reminder", by, "show", id)
		h.want("nobody", 1, none+id+"\n", by, "snooze", id, "1 week")
		h.want("nobody", 1, none+id+"\n", by, "cancel", id)
	}
	h.want("nobody", 0, "committer  Ida Koch <ida@example.org>", by, "show", "plain-1@example.org")
	h.want("www-data", 1, "vext: error: user www-data is not a committer here\nvext: hint: no address is configured for you; ask the operator of vext, ops@example.org", by, "show", "0a1b")
	h.want("games", 1, none, by, "show", "0a1b") // who is games@example.org

	h.want("daemon", 1, none+"0000\n", by, "cancel", "0000", "0a1b")
	h.want("root", 0, "cancelled by daemon\n", "--state", h.state, "show", "0a1b")
	h.want("bin", 0, "foo: fix bar", "--state", h.state, "show", "0a1b") // needs no socket

	h.printsAll("../../docs/committers.md", strings.NewReplacer("jane", "www-data", "/run/vext/control or /var/run/vext/control", strings.Join(control.Paths, " or "),
		"/run/vext/control", h.socket, "0123456789ab", "0a1b"))

	// Where the configuration can be read, it says where the socket is.
	check(t, os.Chmod(h.conf, 0o644))
	h.want("daemon", 0, "foo: fix bar", "show", "0a1b")
	h.want("root", 1, "vext: error: another vext serve", "--state", h.state, "serve")
}

// A user asks for reminders of the user's own commits, in repositories that vext knows.
func TestControlRemind(t *testing.T) {
	h := newHost(t)
	repo := filepath.Join(h.dir, "widget.git")
	git := func(args ...string) string {
		cmd := h.command("bin", nil, "vext")
		cmd.Path, cmd.Args = testkit.Program(t, "git"), append([]string{"git"}, args...)
		cmd.Env = append(cmd.Env, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=Jane", "GIT_COMMITTER_EMAIL=jane@example.org")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	uid, gid := h.user("bin")
	check(t, os.Mkdir(repo, 0o755))
	check(t, os.Chown(repo, int(uid), int(gid)))
	git("init", "--quiet", "--bare", "--initial-branch=main", repo)
	tree := git("--git-dir="+repo, "hash-object", "-t", "tree", "-w", "/dev/null")
	hash := git("--git-dir="+repo, "commit-tree", "-m", "foo: fix bar", tree)
	git("--git-dir="+repo, "update-ref", "refs/heads/main", hash)
	h.want("bin", 0, "installed in", "--state", h.state, "hook", "install", repo)
	stop := h.serve()
	defer stop()
	by := "VEXT_CONTROL=" + h.socket
	h.want("daemon", 0, " foo: fix bar\n", by, "remind", hash[:10], "2035-12-04", "--to", "stable/15")
	h.want("daemon", 0, "queued for Tue 4 Dec 2035 by daemon <jane.miller@example.org>\n", by, "show", hash[:10])
	h.want("daemon", 2, "-C can't be used through the control socket", by, "remind", "-C", "/", hash[:10], "1 week")
	h.want("nobody", 1, "vext: error: no such commit: "+hash[:10]+"\nvext: hint: it must be one of your own commits", by, "remind", hash[:10], "1 week")
	h.want("daemon", 1, "vext: error: no such commit: 00000000\n", by, "remind", "00000000", "1 week")
}

// printsAll wants the messages at the head of what a guide lists under "When it
// does not work" to be such as a command has printed here.
func (h *host) printsAll(guide string, here *strings.Replacer) {
	h.t.Helper()
	data, err := os.ReadFile(guide)
	check(h.t, err)
	_, section, _ := strings.Cut(string(data), "## When it does not work\n")
	section, _, _ = strings.Cut(section, "\n## ")
	said, found := strings.Join(h.said, ""), 0
	for line := range strings.Lines(section) {
		if message, ok := strings.CutPrefix(line, "- `"); ok {
			found++
			message, _, _ = strings.Cut(message, "`")
			if message = here.Replace(message); !strings.Contains(said, message) {
				h.t.Errorf("%s: no command says %q", guide, message)
			}
		}
	}
	if found < 5 {
		h.t.Errorf("%s: %d messages", guide, found)
	}
}

// The socket is found at its usual place.
func TestControlSocketPath(t *testing.T) {
	usual := control.Paths
	defer func() { control.Paths = usual }()
	there := filepath.Join(t.TempDir(), "control")
	check(t, os.WriteFile(there, nil, 0o600))
	control.Paths = []string{filepath.Join(t.TempDir(), "none"), there}
	t.Setenv("VEXT_CONFIG", os.DevNull)
	t.Setenv("VEXT_CONTROL", "")
	if got := new(app).controlSocket(); got != there {
		t.Errorf("%q, want %q", got, there)
	}
	t.Setenv("VEXT_CONTROL", "/x")
	if got := new(app).controlSocket(); got != "/x" {
		t.Errorf("%q, want what VEXT_CONTROL says", got)
	}
	t.Setenv("VEXT_CONTROL", "")
	control.Paths = control.Paths[:1]
	if got := new(app).controlSocket(); got != "" {
		t.Errorf("%q where there is none", got)
	}
}

// A socket that users can't reach is for the operator to open, and not the error of a
// command for operators.
func TestControlSocketClosed(t *testing.T) {
	err := notAnswered("/x", fs.ErrPermission)
	if errors.Is(err, fs.ErrPermission) || err.Error() != "control socket /x: permission denied" || !strings.Contains(hintFor(err), "enter its directory") {
		t.Errorf("%v; %s", err, hintFor(err))
	}
}
