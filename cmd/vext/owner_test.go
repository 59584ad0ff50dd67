package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"vext/internal/testkit"
)

// What root does by hand leaves nothing behind that the service, which runs as
// another user, can't touch.
func TestRootBecomesOwner(t *testing.T) {
	testkit.Root(t)
	const uid, gid = 65534, 65534
	bin, state := testkit.Programs(t), testkit.State(t)
	for dir := state; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(state, uid, gid); err != nil {
		t.Fatal(err)
	}
	mail, err := os.Open("../../testdata/mails/git-freebsd.eml")
	if err != nil {
		t.Fatal(err)
	}
	defer mail.Close()
	config := filepath.Join(t.TempDir(), "vext.toml")
	if err := os.WriteFile(config, []byte("[reminders]\nallow = [\"*@example.org\"]\n[mail]\nfrom = \"a@example.org\"\nvia = \"stdout:\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	filter := exec.Command(filepath.Join(bin, "vext-filter"), "-state", state)
	filter.Stdin = mail
	log := filepath.Join(t.TempDir(), "MFCns.log") // which only root may read
	if err := os.WriteFile(log, []byte("Thu Aug  2 00:22:01 2001: MFC notification sent to \"Jane Miller\" <jane@FreeBSD.org>\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []*exec.Cmd{
		filter,
		exec.Command(filepath.Join(bin, "vext"), "--config", config, "--state", state, "import", log),
		exec.Command(filepath.Join(bin, "vext"), "--config", config, "--state", state, "--now", "2026-11-20", "run"),
		exec.Command(filepath.Join(bin, "vext"), "--config", config, "--state", state, "--now", "2026-11-20", "snooze", "0a1b", "1 week"),
	} {
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", cmd.Args, err, out)
		}
	}
	// A repository is read as the service's user before it is added, too.
	if _, err := exec.LookPath("git"); err == nil {
		repo := filepath.Join(t.TempDir(), "w.git")
		for _, dir := range []string{filepath.Dir(repo), filepath.Dir(filepath.Dir(repo))} {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		add := func(url string) (string, error) {
			out, err := exec.Command(filepath.Join(bin, "vext"), "--config", config, "--state", state, "follow", "add", url).CombinedOutput()
			return string(out), err
		}
		if out, err := add(repo); err == nil || !strings.HasPrefix(out, "vext: error: git ls-remote: ") || strings.Count(out, "error") != 1 {
			t.Errorf("a repository that is not there: %v: %s", err, out)
		}
		for _, args := range [][]string{{"git", "init", "-q", "--bare", repo}, {"chown", "-R", "65534:65534", repo}} {
			if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("%q: %v: %s", args, err, out)
			}
		}
		if out, err := add(repo); err != nil {
			t.Errorf("follow add: %v: %s", err, out)
		}
	}
	n := 0
	filepath.Walk(state, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			t.Error(err)
		} else if stat := info.Sys().(*syscall.Stat_t); stat.Uid != uid || stat.Gid != gid {
			t.Errorf("%s belongs to %d:%d", path, stat.Uid, stat.Gid)
		}
		n++
		return nil
	})
	if n < 8 {
		t.Errorf("only %d files", n)
	}
}

// Root's check has the rights of the service: what only root can read is said.
func TestRootChecksAsOwner(t *testing.T) {
	h := newHost(t)
	check := func(want string, status int) {
		t.Helper()
		cmd := h.command("root", nil, "vext", "--state", h.state, "check")
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != status || !strings.Contains(string(out), want) {
			t.Errorf("status %d and\n%s\nwant %d and %s", got, out, status, want)
		}
	}
	check("OK        configuration    "+h.conf+"\n", 1) // there was no run yet
	if err := os.Chown(h.conf, 0, 0); err != nil {
		t.Fatal(err)
	}
	check("CRITICAL  configuration    open "+h.conf+": permission denied for user bin, which owns the state directory and runs the service\n"+
		"                           give it to the group of that user: chgrp bin "+h.conf+" && chmod 640 "+h.conf+"\n", 2)
	for what, line := range map[string]string{
		"templates": "templates = %q", "maildir:": "[mail]\nfrom = \"a@example.org\"\nvia = \"maildir:%[1]s/dir\"",
		"password": "[mail]\nuser = \"a\"\npassword_file = \"%[1]s/reminder.txt\"",
		"webhook":  "[[hook]]\nname = \"x\"\nsecret_file = \"%[1]s/reminder.txt\"",
	} {
		private := filepath.Join(h.dir, "private")
		if err := os.MkdirAll(private, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(private, "reminder.txt"), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(h.conf, fmt.Appendf(nil, line, private), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(h.conf, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Log(what)
		check("permission denied", 2)
	}
}
