package machines

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/internal/testkit"
)

// A Machine has a clone, and a home with a configuration.
type Machine struct {
	Name string
	Home string
	Tree string
	Env  []string
	// Programs is the directory of vext; "" for testkit.Programs.
	Programs string
	// User, if not 0, runs the program, and Watches bounds the inotify watches of it. Only
	// root can have these.
	User, Watches int

	w      *World
	t      testing.TB
	cmd    *exec.Cmd
	begun  time.Time // when the program was started
	log    *testkit.Log
	exited chan error

	isOther bool // it is not vext
}

// Configure writes the configuration: one table with these lines, and what follows it.
func (m *Machine) Configure(table, rest string) {
	m.t.Helper()
	path := filepath.Join(m.Home, "config", "vext", "vext.toml")
	m.w.ok(os.MkdirAll(filepath.Dir(path), 0o755))
	text := "[[autosync]]\npath = \"" + m.Tree + "\"\n" + table + "\n"
	for line := range strings.Lines(fast) {
		if key, _, _ := strings.Cut(line, "="); !strings.Contains("\n"+table, "\n"+key+"=") { // a key may be there only once
			text += line
		}
	}
	m.w.ok(os.WriteFile(path, []byte(text+rest), 0o600))
}

// Vext returns a command line of vext on this machine.
func (m *Machine) Vext(args ...string) *exec.Cmd {
	m.t.Helper()
	dir := m.Programs
	if dir == "" {
		dir = testkit.Programs(m.t)
	}
	cmd := exec.Command(filepath.Join(dir, "vext"), args...)
	cmd.Env, cmd.Dir = m.Env, m.Home
	if m.User != 0 && args[0] == "autosync" && len(args) > 1 { // its socket is that user's
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(m.User), Gid: uint32(m.User)}}
	}
	return cmd
}

// Start starts vext autosync, or the program of the variable SYNC with the tree for an
// argument. Where root runs the tests, the host is named as the machine. It is killed with
// the test.
func (m *Machine) Start(args ...string) {
	m.t.Helper()
	m.start(append([]string{"autosync"}, args...)...)
	m.await()
}

// Other starts another program with the tree for its last argument, and gives it time to
// begin.
func (m *Machine) Other(program string, args ...string) {
	m.t.Helper()
	cmd := exec.Command(program, append(args, m.Tree)...)
	cmd.Env, cmd.Dir = m.Env, m.Home
	m.isOther = true
	m.launch(cmd)
	time.Sleep(3 * time.Second)
}

// Launch is Start, and does not wait until the tree is watched.
func (m *Machine) Launch(args ...string) {
	m.t.Helper()
	m.start(append([]string{"autosync"}, args...)...)
}

func (m *Machine) start(args ...string) {
	m.t.Helper()
	cmd := m.Vext(args...)
	if other := os.Getenv("SYNC"); other != "" {
		words := append(strings.Fields(other), m.Tree)
		cmd.Path, cmd.Args = testkit.Program(m.t, words[0]), words
	}
	if os.Getuid() == 0 {
		cmd.Args = append(append([]string{"unshare", "--uts"}, m.wrapper()...), append([]string{cmd.Path}, cmd.Args[1:]...)...)
		cmd.Path = testkit.Program(m.t, "unshare")
	}
	m.launch(cmd)
}

// launch starts a command as the program of the machine.
func (m *Machine) launch(cmd *exec.Cmd) {
	m.t.Helper()
	if m.log == nil {
		m.log = new(testkit.Log)
		m.t.Cleanup(m.cleanUp)
	}
	cmd.Stdout, cmd.Stderr = m.log, m.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal to ask anything
	cmd.WaitDelay = time.Second
	m.w.ok(cmd.Start())
	m.cmd, m.begun, m.exited = cmd, time.Now(), make(chan error, 1)
	go func(exited chan error) { exited <- cmd.Wait() }(m.exited)
}

// wrapper is the rest of the command line of unshare before the program's own.
func (m *Machine) wrapper() []string {
	script, unshare := `hostname "$0"; exec "$@"`, []string(nil)
	switch {
	case m.User != 0:
		script = fmt.Sprintf(`hostname "$0"; exec setpriv --reuid %d --regid %d --clear-groups "$@"`, m.User, m.User)
	case m.Watches != 0:
		unshare = []string{"--user", "--map-root-user"}
		script = fmt.Sprintf(`hostname "$0"; echo %d >/proc/sys/user/max_inotify_watches; exec "$@"`, m.Watches)
	}
	return append(unshare, "sh", "-c", script, m.Name)
}

// await waits until vext watches the tree.
func (m *Machine) await() {
	m.t.Helper()
	if os.Getenv("SYNC") != "" {
		time.Sleep(2 * time.Second)
		return
	}
	if !testkit.Eventually(Patience, func() bool {
		out, err := m.Vext("autosync", "status", "--json").Output()
		return !m.Running() || err == nil && bytes.Contains(out, []byte(`"watching"`))
	}) || !m.Running() {
		m.t.Fatalf("%s does not watch: %s", m.Name, m.Log())
	}
}

func (m *Machine) cleanUp() {
	m.Kill()
	if m.t.Failed() {
		text := m.Log()
		m.t.Logf("%s printed:\n%s", m.Name, text[max(0, len(text)-6000):])
	}
}

// PID returns the process of the program.
func (m *Machine) PID() int { return m.cmd.Process.Pid }

// InotifyWatches returns how many the program has.
func (m *Machine) InotifyWatches() int {
	m.t.Helper()
	out, _ := exec.Command("sh", "-c", fmt.Sprintf("cat /proc/%d/fdinfo/* | grep -c ^inotify", m.PID())).Output()
	n, err := strconv.Atoi(strings.TrimSpace(string(out)))
	m.w.ok(err)
	return n
}

// Log returns what all its processes have printed.
func (m *Machine) Log() string {
	if m.log == nil {
		return ""
	}
	return m.log.String()
}

// Running reports whether the program runs.
func (m *Machine) Running() bool {
	if m.cmd == nil {
		return false
	}
	select {
	case err := <-m.exited:
		m.exited <- err
		return false
	default:
		return true
	}
}

// Signal sends a signal to the program.
func (m *Machine) Signal(sig syscall.Signal) { m.cmd.Process.Signal(sig) }

// Kill kills the program alone, and waits for it.
func (m *Machine) Kill() {
	if m.cmd == nil {
		return
	}
	m.cmd.Process.Kill()
	if m.isOther { // a script, which has children
		syscall.Kill(-m.cmd.Process.Pid, syscall.SIGKILL)
	}
	err := <-m.exited
	m.exited <- err
}

// startTime is how long a program may take to begin, where the machine has much else to do.
const startTime = 5 * time.Second

// Stop ends the program by SIGTERM, within 2 s.
func (m *Machine) Stop() {
	m.t.Helper()
	begun := time.Now()
	m.Signal(syscall.SIGTERM)
	select {
	case err := <-m.exited:
		m.exited <- err
		var early *exec.ExitError // the shell that starts it was ended by the signal, or it before it could be ready
		if errors.As(err, &early) && !early.Exited() && begun.Sub(m.begun) < startTime {
			err = nil
		}
		if err != nil && os.Getenv("SYNC") == "" {
			m.t.Errorf("%s ended with %v", m.Name, err)
		}
	case <-time.After(Patience):
		before := len(m.Log())
		m.Signal(syscall.SIGQUIT) // a Go program prints what it does
		time.Sleep(time.Second)
		out := m.Log()[before:]
		m.t.Fatalf("%s does not end: %s", m.Name, out[:min(len(out), 1<<16)])
	}
	if took := time.Since(begun); took > 2500*time.Millisecond {
		m.t.Errorf("%s ended after %s", m.Name, took)
	}
}

// Path returns the path of a file of the tree.
func (m *Machine) Path(name string) string { return filepath.Join(m.Tree, name) }

// Write writes a file of the tree, and makes its directories.
func (m *Machine) Write(name, content string) {
	m.t.Helper()
	m.w.ok(os.MkdirAll(filepath.Dir(m.Path(name)), 0o755))
	m.w.ok(os.WriteFile(m.Path(name), []byte(content), 0o644))
}

// Append adds to the end of a file.
func (m *Machine) Append(name, content string) {
	m.t.Helper()
	f, err := os.OpenFile(m.Path(name), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	m.w.ok(err)
	_, err = f.WriteString(content)
	m.w.ok(err)
	m.w.ok(f.Close())
}

// Read returns the content of a file, "" if there is none.
func (m *Machine) Read(name string) string {
	data, _ := os.ReadFile(m.Path(name))
	return string(data)
}

// Await waits until a file has that content.
func (m *Machine) Await(name, content string) {
	m.t.Helper()
	if !testkit.Eventually(Patience, func() bool { return m.Read(name) == content }) {
		m.t.Fatalf("%s: %s has %q, not %q", m.Name, name, m.Read(name), content)
	}
}

func (m *Machine) run(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, m.Env
	out, err := cmd.CombinedOutput()
	return strings.TrimSuffix(string(out), "\n"), err
}

// Try runs a script in the tree, and returns what it prints.
func (m *Machine) Try(script string) (string, error) { return m.run(m.Tree, "sh", "-c", script) }

// Sh runs a script in the tree, which must succeed.
func (m *Machine) Sh(script string) string {
	m.t.Helper()
	out, err := m.run(m.Tree, "sh", "-ec", script)
	if err != nil {
		m.t.Fatalf("%s: %s: %v: %s", m.Name, script, err, out)
	}
	return out
}

// Git runs git in the tree.
func (m *Machine) Git(args string) string { m.t.Helper(); return m.Sh("git " + args) }

// Commits returns the number of commits.
func (m *Machine) Commits() string { m.t.Helper(); return m.Git("rev-list --count HEAD") }

// Committed waits until there is nothing to commit.
func (m *Machine) Committed() {
	m.t.Helper()
	out := ""
	if !testkit.Eventually(Patience, func() bool {
		var err error
		out, err = m.Try("git status --porcelain")
		return out == "" && err == nil
	}) {
		m.t.Fatalf("%s: not committed: %s", m.Name, out)
	}
}
