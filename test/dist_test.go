package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"vext/internal/testkit"
)

// cloneTagged clones what is committed into a new directory, as version 0.1.0.
func cloneTagged(t *testing.T, dir string) {
	t.Helper()
	for _, program := range []string{"git", "make"} {
		testkit.Program(t, program)
	}
	if out, err := exec.Command("git", "clone", "--quiet", "..", dir).CombinedOutput(); err != nil {
		testkit.Missing(t, fmt.Sprintf("this is no git repository: %s", out))
	}
	makeIn(t, dir, "git", "tag", "v0.1.0")
}

// makeIn runs a command in a directory, without the variables of a make that runs
// the test.
func makeIn(t *testing.T, dir string, command ...string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"VERSION", "SOURCE_DATE_EPOCH", "MAKEFLAGS", "MAKELEVEL", "BIN"}, name)
	})
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", command, err, out)
	}
}

// The version is the tag's, in a clone and in a tarball; both give the same
// program.
func TestVersion(t *testing.T) {
	dir := t.TempDir()
	clone, unpacked := filepath.Join(dir, "clone"), filepath.Join(dir, "vext-0.1.0")
	cloneTagged(t, clone)
	makeIn(t, clone, "make", "bin/vext")
	makeIn(t, clone, "git", "archive", "--prefix=vext-0.1.0/", "--output=../vext.tar", "HEAD")
	makeIn(t, dir, "tar", "-xf", "vext.tar")
	makeIn(t, unpacked, "make", "bin/vext")
	out, err := exec.Command(filepath.Join(unpacked, "bin", "vext"), "version").Output()
	ok(t, err)
	if !strings.HasPrefix(string(out), "vext 0.1.0 go") {
		t.Errorf("a tarball's version is %q", out)
	}
	if read(t, filepath.Join(clone, "bin", "vext")) != read(t, filepath.Join(unpacked, "bin", "vext")) {
		t.Error("a clone and a tarball give different programs")
	}
}

// make dist gives the same bytes wherever, whenever and by whomever it is run.
func TestDist(t *testing.T) {
	if out, err := exec.Command("tar", "--version").Output(); err != nil || !strings.Contains(string(out), "GNU tar") {
		testkit.Missing(t, "tar is not GNU's")
	}
	system := runtime.GOOS + "/" + runtime.GOARCH
	name := "vext-0.1.0-" + strings.ReplaceAll(system, "/", "-")
	var sums [2]string
	for i, how := range []string{"umask 022; TZ=UTC", "umask 077; TZ=Asia/Tokyo LC_ALL=C"} {
		dir := filepath.Join(t.TempDir(), strings.Repeat("x", 1+20*i))
		cloneTagged(t, dir)
		makeIn(t, dir, "sh", "-c", how+" make dist SYSTEMS="+system)
		dist := filepath.Join(dir, "dist")
		makeIn(t, dist, "sha256sum", "--check", "--quiet", "SHA256SUMS")
		sums[i] = read(t, filepath.Join(dist, "SHA256SUMS"))
		out, err := exec.Command("tar", "-tzf", filepath.Join(dist, name+".tar.gz")).Output()
		ok(t, err)
		files := strings.Fields(string(out))
		for _, want := range []string{"share/doc/vext/README.md", "bin/vext", "bin/vext-filter", "share/man/man1/vext.1", "share/bash-completion/completions/vext", "share/doc/vext/contrib/vext.toml.example"} {
			if !slices.Contains(files, name+"/"+want) {
				t.Errorf("%s.tar.gz lacks %s: %q", name, want, files)
			}
		}
	}
	if sums[0] != sums[1] || strings.Count(sums[0], "\n") != 2 {
		t.Errorf("make dist gives\n%sand then\n%s", sums[0], sums[1])
	}
}
