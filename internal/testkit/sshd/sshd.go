// Package sshd runs OpenSSH's server on loopback, for tests of what goes through ssh.
package sshd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/internal/testkit"
)

// Host is the name that a Server has in its ssh_config.
const Host = "far"

// A Server is an sshd that lets in the user who runs the test, with a key.
type Server struct {
	Dir        string
	Port       int
	Config     string // an ssh_config in which Host is the server; OpenSSH does not read that of $HOME
	Key        string // the user's private key
	KnownHosts string
	Home       string // of the sessions

	t   testing.TB
	cmd *exec.Cmd
}

// Start starts an sshd with further lines of sshd_config: "AcceptEnv GIT_PROTOCOL". It ends
// with the test.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	dir := t.TempDir()
	s := &Server{
		Dir: dir, Config: filepath.Join(dir, "ssh_config"), Key: filepath.Join(dir, "id"),
		KnownHosts: filepath.Join(dir, "known_hosts"), Home: filepath.Join(dir, "home"), t: t,
	}
	s.NewHostKey()
	s.keygen(s.Key, "")
	key, err := os.ReadFile(s.Key + ".pub")
	s.ok(err)
	s.write("authorized_keys", string(key))
	s.ok(os.Mkdir(s.Home, 0o700))
	if os.Getuid() == 0 {
		s.ok(os.MkdirAll("/run/sshd", 0o755)) // else sshd does not start
	}
	s.Port = testkit.Port(testkit.FreeAddr(t, "127.0.0.1"))
	s.Trust()
	me, err := user.Current()
	s.ok(err)
	s.write("sshd_config", strings.Join(append([]string{
		"ListenAddress 127.0.0.1", "Port " + strconv.Itoa(s.Port), "HostKey " + filepath.Join(dir, "host"), "PidFile none",
		"AuthorizedKeysFile " + filepath.Join(dir, "authorized_keys"), "PasswordAuthentication no",
		"KbdInteractiveAuthentication no", "PermitRootLogin yes", "UsePAM no", "StrictModes no",
		"MaxStartups 100:30:200", "LogLevel INFO", "PrintMotd no",
	}, settings...), "\n")+"\nSetEnv HOME="+s.Home+"\n")
	s.write("ssh_config", fmt.Sprintf(`Host %s
  HostName 127.0.0.1
  Port %d
  User %s
  IdentityFile %s
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile %s
  GlobalKnownHostsFile /dev/null
`, Host, s.Port, me.Username, s.Key, s.KnownHosts))
	t.Cleanup(s.Stop)
	t.Cleanup(func() {
		if log, err := os.ReadFile(s.log()); t.Failed() && err == nil {
			t.Logf("the end of the log of sshd:\n%s", log[max(0, len(log)-2000):])
		}
	})
	s.Restart()
	return s
}

func (s *Server) log() string { return filepath.Join(s.Dir, "log") }

func (s *Server) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) write(name, text string) {
	s.t.Helper()
	s.ok(os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o600))
}

func (s *Server) keygen(path, passphrase string) {
	s.t.Helper()
	os.Remove(path)
	out, err := exec.Command(testkit.Program(s.t, "ssh-keygen"), "-q", "-t", "ed25519", "-N", passphrase, "-f", path).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
}

// NewHostKey gives the server another host key, after Restart.
func (s *Server) NewHostKey() { s.keygen(filepath.Join(s.Dir, "host"), "") }

// Trust makes the client know the host key.
func (s *Server) Trust() {
	s.t.Helper()
	key, err := os.ReadFile(filepath.Join(s.Dir, "host.pub"))
	s.ok(err)
	s.ok(os.WriteFile(s.KnownHosts, fmt.Appendf(nil, "[127.0.0.1]:%d %s", s.Port, key), 0o600))
}

// Lock gives the user's key a passphrase.
func (s *Server) Lock(passphrase string) {
	s.t.Helper()
	s.ok(exec.Command("ssh-keygen", "-q", "-p", "-P", "", "-N", passphrase, "-f", s.Key).Run())
}

// Force lets the user run only this command, in which $SSH_ORIGINAL_COMMAND is what the
// client asked for.
func (s *Server) Force(command string) {
	s.t.Helper()
	key, err := os.ReadFile(s.Key + ".pub")
	s.ok(err)
	s.write("authorized_keys", fmt.Sprintf("command=%q %s", command, key))
}

// Restart stops the server if it runs, and starts it at the same port.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	s.cmd = exec.Command(testkit.Program(s.t, "sshd"), "-D", "-f", filepath.Join(s.Dir, "sshd_config"), "-E", s.log())
	s.ok(s.cmd.Start())
	if testkit.Listens(fmt.Sprint("127.0.0.1:", s.Port), 10*time.Second) {
		return
	}
	log, _ := os.ReadFile(s.log())
	s.t.Fatalf("sshd does not listen: %s", log)
}

// Stop ends the server and cuts all connections.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	s.Cut()
	s.cmd.Process.Kill()
	s.cmd.Wait()
	s.Cut()
	s.cmd = nil
}

// Cut ends all connections. The server goes on.
func (s *Server) Cut() { s.signal(syscall.SIGKILL) }

// Freeze stops the processes of all connections, which stay open, as those to a machine
// that sleeps.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// signal signals the processes of sshd that serve connections.
func (s *Server) signal(sig syscall.Signal) {
	pids := children(s.cmd.Process.Pid)
	for i := 0; i < len(pids); i++ { // a user's session has a second sshd
		if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pids[i])); strings.HasPrefix(string(name), "sshd") {
			pids = append(pids, children(pids[i])...)
			if err := syscall.Kill(pids[i], sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				s.t.Error(err)
			}
		}
	}
}

// Connections returns how many connections there are.
func (s *Server) Connections() int { return len(children(s.cmd.Process.Pid)) }

// Logins returns how many connections there have been.
func (s *Server) Logins() int {
	log, err := os.ReadFile(s.log())
	s.ok(err)
	return strings.Count(string(log), "Accepted publickey")
}

// children returns the processes that a process has started.
func children(pid int) (pids []int) {
	out, _ := exec.Command("ps", "-o", "pid=", "--ppid", strconv.Itoa(pid)).Output()
	for field := range strings.FieldsSeq(string(out)) {
		if n, err := strconv.Atoi(field); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}
