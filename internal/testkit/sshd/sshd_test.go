package sshd

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestServer(t *testing.T) {
	s := Start(t, "AcceptEnv GIT_PROTOCOL")
	login := func(command string) (string, error) {
		out, err := exec.Command("ssh", "-F", s.Config, "-o", "BatchMode=yes", Host, command).CombinedOutput()
		return string(out), err
	}
	if out, err := login("echo $HOME"); err != nil || strings.TrimSpace(out) != s.Home || s.Logins() != 1 {
		t.Fatalf("%v: %s; %d logins", err, out, s.Logins())
	}
	long := exec.Command("ssh", "-F", s.Config, Host, "echo; exec cat")
	in, err := long.StdinPipe() // cat reads it
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := long.StdoutPipe()
	if err == nil {
		err = long.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	out.Read(make([]byte, 1))
	if n := s.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
	s.Freeze()
	s.Cut()
	if err := long.Wait(); err == nil {
		t.Error("not cut")
	}
	for deadline := time.Now().Add(5 * time.Second); s.Connections() > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("there are connections after a cut")
		}
	}
	s.NewHostKey()
	s.Restart()
	if out, err := login("true"); err == nil || !strings.Contains(out, "CHANGED") {
		t.Errorf("another host key: %v: %s", err, out)
	}
	s.Trust()
	s.Force("echo forced $SSH_ORIGINAL_COMMAND")
	if out, err := login("xyz"); err != nil || out != "forced xyz\n" {
		t.Errorf("%v: %s", err, out)
	}
	s.Lock("secret")
	if out, err := login("true"); err == nil || !strings.Contains(out, "Permission denied") {
		t.Errorf("a locked key: %v: %s", err, out)
	}
	pid := s.cmd.Process.Pid
	if s.Stop(); syscall.Kill(pid, 0) == nil {
		t.Error("sshd still runs")
	}
	s.Stop() // again
}
