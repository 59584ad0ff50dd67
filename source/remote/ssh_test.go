package remote

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeSSH is a program that writes its arguments to a file, and knows -G where the name of
// the file says so.
const fakeSSH = `#!/bin/sh
case $1$2 in *-G*) case $0 in *openssh*) exit 0;; esac; exit 1;; esac
printf '%s\n' "$@" GIT_PROTOCOL="$GIT_PROTOCOL" >"$OUT"
exit 1
`

// gitRuns returns the arguments with which git runs ssh for a URL, nil if it does not.
func gitRuns(t *testing.T, dir, url string, env ...string) []string {
	t.Helper()
	out := filepath.Join(dir, "out")
	os.Remove(out)
	cmd := exec.Command("git", "ls-remote", url)
	cmd.Dir = dir
	cmd.Env = slices.Concat(os.Environ(), []string{"OUT=" + out, "GIT_CEILING_DIRECTORIES=/", "GIT_CONFIG_GLOBAL=/dev/null"}, env)
	cmd.Run()
	words, err := os.ReadFile(out)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(words), "\n"), "\n")
}

func fakeIn(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(fakeSSH), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// Hosts, ports and paths are those of git.
func TestParseSSH(t *testing.T) {
	dir := t.TempDir()
	fakeIn(t, dir, "ssh")
	for _, url := range []string{
		"host:path", "host:", "host:p:q", "user@host:/p q", "host:~/x", "host:/~/x", "host:/~user/x", "host:x~y", "host:a'b!c", "c:/x",
		"[::1]:p", "u@[::1]:p", "[u@::1]:p", "[host:44]:p", "[u@host:44]:p", "[::1]:22:p", "u@[h]:22:p", "x[1]:p", "[h:p", "h:a@[b]:c",
		"ssh://host/~/x", "ssh://host/~", "ssh://host:22/~u/x", "ssh://u@[::1]:23/p", "ssh://[::1]/p", "ssh://[::1/p", "ssh://host:/p",
		"ssh://host:99999/p", "ssh://h:22:33/p", "ssh://[h:22]/p", "ssh://[h]:33/p", "ssh://[h]:x/p", "ssh://[u@h]:2/p", "ssh://a@b@c:3/p",
		"ssh://h:+5/p", "ssh://h: 5/p", "ssh://h:-1/p", "ssh://ho%73t/p%20q", "ssh://h%3a22/p", "ssh://h/%00x", "ssh://h/a%zzb+c%", "ssh://h/%4",
		"ssh://u:pw@h/p", "ssh://u@-h/p", "ssh://h/-p", "ssh://h/", "ssh://h//p", "git+ssh://h/p", "ssh+git://h:2/p",
		// and what git refuses, or reaches otherwise:
		"ssh://-oX=y/p", "ssh://-oX=y:22/p", "host:-p", "ssh://host", "SSH://h/p", "./a:b", "a/b:c", "ext::x", "x::y", "/p", "file:///p", "git:x",
	} {
		words := gitRuns(t, dir, url, "GIT_SSH="+filepath.Join(dir, "ssh"))
		a, ok, err := parseSSH(url)
		if words == nil {
			if ok && err == nil {
				t.Errorf("%s: %+v, and git runs no ssh", url, a)
			}
			continue
		}
		got, argsErr := sshProgram{variant: variantSSH}.args(a, nil, "git-upload-pack "+quote(a.path))
		if want := words[:len(words)-1]; !ok || err != nil || argsErr != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %t, %v, %v; git has %q", url, got, ok, err, argsErr, want)
		}
	}
	for _, url := range []string{":p", "ssh:///p"} { // git runs ssh with an empty host
		if _, _, err := parseSSH(url); err == nil {
			t.Errorf("%s: no error", url)
		}
	}
}

// The program, its variant and its options are those of git.
func TestChooseSSH(t *testing.T) {
	dir := t.TempDir()
	names := []string{"ssh", "SSH.EXE", "plink", "PLink.exe", "tortoiseplink", "other", "openssh", "with blank"}
	fakeIn(t, dir, names...)
	if out, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var cases [][]string // variables and, with "=", settings
	for _, name := range names {
		path := filepath.Join(dir, name)
		shell := "'" + path + "' -x"
		cases = append(cases, []string{"GIT_SSH=" + path}, []string{"GIT_SSH_COMMAND=" + shell}, []string{"core.sshCommand=A=b " + shell}, []string{"core.sshCommand=" + shell},
			[]string{"GIT_SSH_COMMAND=" + strings.ReplaceAll(path, " ", `\ `) + ` "a  b"`, "core.sshCommand=false"}, []string{"GIT_SSH=" + path, "core.sshCommand=" + dir + "/ssh -y"})
	}
	for _, variant := range []string{"auto", "ssh", "plink", "putty", "tortoiseplink", "simple", "unknown", ""} {
		cases = append(cases, []string{"GIT_SSH=" + dir + "/other", "GIT_SSH_VARIANT=" + variant}, []string{"GIT_SSH=" + dir + "/openssh", "ssh.variant=" + variant},
			[]string{"GIT_SSH_COMMAND=" + dir + "/plink -x", "ssh.variant=" + variant, "GIT_SSH_VARIANT=simple"})
	}
	for _, settings := range cases {
		for _, url := range []string{"host:p", "ssh://host:22/p"} {
			t.Run(fmt.Sprint(settings, url), func(t *testing.T) { compareWithGit(t, dir, url, settings) })
		}
	}
}

// compareWithGit compares what we would run with what git runs.
func compareWithGit(t *testing.T, dir, url string, settings []string) {
	for _, name := range []string{"GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	config := []string{"config", "-z", "--list"}
	var env []string
	for _, setting := range settings {
		if name, value, _ := strings.Cut(setting, "="); strings.Contains(name, ".") {
			config = append([]string{"-c", setting}, config...)
			env = append(env, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0="+name, "GIT_CONFIG_VALUE_0="+value)
		} else {
			t.Setenv(name, value)
		}
	}
	want := gitRuns(t, dir, url, env...)
	l, err := newSSHMasters(defaultSSHTimes).openSSH(t.Context(), func(context.Context, ...string) (string, error) {
		out, err := exec.Command("git", append([]string{"-C", dir}, config...)...).Output()
		return string(out), err
	}, &Remote{Name: "origin", URL: url})
	if err != nil {
		t.Fatal(err)
	}
	args, err := l.program.args(l.sshAddress, nil, "git-upload-pack 'p'")
	if strings.HasPrefix(url, "ssh:") {
		args, err = l.program.args(l.sshAddress, nil, "git-upload-pack '/p'")
	}
	if err != nil && want == nil {
		return // git refuses it, too
	}
	out := filepath.Join(dir, "ours")
	os.Remove(out)
	cmd := l.program.cmd(args...)
	cmd.Env = append(cmd.Env, "OUT="+out)
	cmd.Run()
	words, _ := os.ReadFile(out)
	if got := strings.Split(strings.TrimSuffix(string(words), "\n"), "\n"); !slices.Equal(got, want) {
		t.Errorf("%q, git has %q (%v)", got, want, err)
	}
}
