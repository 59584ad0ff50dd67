package main

import (
	"fmt"
	"net"
	"net/http"
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

// A service is a vext serve of its own, and what it is configured with.
type service struct {
	t          *testing.T
	bin, state string
	config     string
	cmd        *exec.Cmd
	log        testkit.Log
}

func (s *service) env() []string {
	return append(os.Environ(), "VEXT_CONFIG="+s.config, "VEXT_STATE="+s.state)
}

// start starts the service and waits until it is ready.
func (s *service) start() {
	s.t.Helper()
	socket := filepath.Join(s.t.TempDir(), "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		s.t.Fatal(err)
	}
	defer systemd.Close()
	s.cmd = exec.Command(filepath.Join(s.bin, "vext"), "serve")
	s.cmd.Env = append(s.env(), "NOTIFY_SOCKET="+socket)
	s.cmd.Stderr = &s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	systemd.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := systemd.Read(make([]byte, 100)); err != nil {
		s.end(syscall.SIGKILL)
		s.t.Fatalf("not ready: %v\n%s", err, s.log.String())
	}
}

func (s *service) end(sig syscall.Signal) {
	s.cmd.Process.Signal(sig)
	s.cmd.Wait()
}

// filter runs vext-filter with an input.
func (s *service) filter(input string) {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(s.bin, "vext-filter"))
	cmd.Env, cmd.Stdin = s.env(), strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
}

// Commits are announced on IRC as they arrive, by every way once, and also those
// that came while nothing ran.
func TestServeNotices(t *testing.T) {
	testkit.Program(t, "git")
	server := ircd.NewScripted(t, ircd.Script{})
	dir := t.TempDir()
	s := &service{t: t, bin: testkit.Programs(t), state: testkit.State(t), config: filepath.Join(dir, "vext.toml")}
	web := testkit.FreeAddr(t, "127.0.0.1")
	text := fmt.Sprintf(`[http]
listen = %q
[[hook]]
name = "forge"
secret = "6b1f0c2a9e7d4358"
[irc]
rate = 0
[[announce]]
to = ["irc://%s/src"]
template = "{{.Repository}} {{.Branch}} {{.Rev}} {{.Logmsg}}"
`, web, server.Addr)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n := 0
	says := func(what, want string) {
		t.Helper()
		n++
		said := server.WaitSaid("#src", n, 20*time.Second)
		if len(said) != n || said[n-1].Text != want {
			t.Fatalf("%s: said %+v, want %q\n%s", what, said, want, s.log.String())
		}
	}
	s.start()
	defer func() { s.end(syscall.SIGTERM) }()
	mail, err := os.ReadFile("../../testdata/mails/git-freebsd.eml")
	if err != nil {
		t.Fatal(err)
	}
	s.filter(string(mail))
	says("a mail", "src main 0a1b2c3d4e5f foo: fix bar")

	object := `{"repository":"src","refname":"refs/heads/%s","revision":"%s","committer":{"email":"ida@example.org"},"message":"%s"}`
	s.filter(fmt.Sprintf(object, "main", "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567", "by another way"))
	push := fmt.Sprintf(object, "dev", "1111111111111111111111111111111111111111", "a webhook")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+web+"/hook/forge", strings.NewReader(push))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Gitlab-Token", "6b1f0c2a9e7d4358")
	response, err := http.DefaultClient.Do(request)
	if err != nil || response.StatusCode != 200 {
		t.Fatal(response, err)
	}
	response.Body.Close()
	says("a webhook", "src dev 111111111111 a webhook")

	repo := filepath.Join(dir, "w.git")
	sh := func(command string) {
		t.Helper()
		cmd := exec.Command("sh", "-ec", command)
		cmd.Dir = dir
		cmd.Env = append(s.env(), "PATH="+s.bin+":"+os.Getenv("PATH"), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_AUTHOR_NAME=J", "GIT_AUTHOR_EMAIL=jane@example.org", "GIT_COMMITTER_NAME=J", "GIT_COMMITTER_EMAIL=jane@example.org",
			"GIT_AUTHOR_DATE=2026-11-20T10:00:00Z", "GIT_COMMITTER_DATE=2026-11-20T10:00:00Z")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	sh("git init -q --bare -b main " + repo + "; vext hook install " + repo + "; git clone -q " + repo + " tree; cd tree; git checkout -q -b topic; echo 1 >a; git add a; git commit -qm hooked; git push -q origin topic")
	rev, err := exec.Command("git", "-C", filepath.Join(dir, "tree"), "rev-parse", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	says("a hook", "w topic "+string(rev[:12])+" hooked")
	sh("until vext irc status | grep -q '#src *joined *0 '; do sleep 0.1; done") // else it may come twice

	s.end(syscall.SIGKILL)
	s.filter(fmt.Sprintf(object, "dev", "1111111111111111111111111111111111111111", "a webhook"))
	s.filter(fmt.Sprintf(object, "main", "2222222222222222222222222222222222222222", "while nothing ran"))
	s.start()
	says("while nothing ran", "src main 222222222222 while nothing ran")

	s.end(syscall.SIGTERM)
	if err := os.WriteFile(s.config, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	if _, err := os.Stat(filepath.Join(s.state, "announcing")); !os.IsNotExist(err) {
		t.Errorf("without [[announce]] in the configuration: %v", err)
	}
}
