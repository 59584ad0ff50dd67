package main

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/internal/testkit"
)

// vext serve notifies systemd that it is ready, catches up with what became due
// while it did not run, and ends cleanly on SIGTERM.
func TestServe(t *testing.T) {
	bin, state, dir := testkit.Programs(t), testkit.State(t), t.TempDir()
	mail, err := os.ReadFile("../../testdata/mails/git-freebsd.eml")
	if err != nil {
		t.Fatal(err)
	}
	old := strings.ReplaceAll(string(mail), "2026-11-20 09:29:58", "2021-11-20 09:29:58")
	if err := os.Mkdir(filepath.Join(state, "spool"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(state, "spool", "a@b"), []byte(old), 0o640); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "vext.toml")
	text := "[reminders]\nallow = [\"*@example.org\"]\n[mail]\nfrom = \"mfc@example.org\"\nvia = \"maildir:" + filepath.Join(dir, "Maildir") + "\"\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()

	cmd := exec.Command(filepath.Join(bin, "vext"), "--config", config, "--state", state, "serve")
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	expect := func(want string) {
		t.Helper()
		systemd.SetReadDeadline(time.Now().Add(10 * time.Second))
		buffer := make([]byte, 100)
		n, err := systemd.Read(buffer)
		if err != nil || string(buffer[:n]) != want {
			t.Fatalf("systemd received %q, %v; want %q", buffer[:n], err, want)
		}
	}
	expect("READY=1")
	var log []string
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		log = append(log, lines.Text())
		if strings.Contains(lines.Text(), "msg=waiting") {
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, strings.Join(log, "\n"))
	}
	expect("STOPPING=1")
	if mails, _ := filepath.Glob(filepath.Join(dir, "Maildir", "new", "*")); len(mails) != 1 {
		t.Errorf("%d reminders\n%s", len(mails), strings.Join(log, "\n"))
	}
	if n := len(log); n < 4 || !strings.Contains(log[n-1], "msg=stopped") {
		t.Errorf("log:\n%s", strings.Join(log, "\n"))
	}
	if all := strings.Join(log, "\n"); strings.Contains(all, "level=WARN") || !strings.Contains(all, "new state directory") {
		t.Errorf("a first start is nothing to warn of:\n%s", all)
	}
}
