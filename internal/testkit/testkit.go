// Package testkit is what several packages' tests lean on.
package testkit

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Program returns the path of a program that a test runs against. Where it is
// missing the test is skipped, and with CI=true it fails.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		if err == nil {
			break
		}
		path, err = exec.LookPath(filepath.Join(dir, name))
	}
	if err != nil {
		Missing(t, name+" is not installed")
	}
	return path
}

// Root skips a test that only root can run, or fails it with CI=true.
func Root(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		Missing(t, "only root can run this")
	}
}

// Missing skips the test for want of something, or fails it with CI=true.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s, and this is CI", what)
	}
	t.Skip(what)
}

var built string // set by build

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "vext-bin-")
	built = dir
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", dir, "vext/cmd/vext", "vext/cmd/vext-filter")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return dir, cmd.Run()
})

// Programs returns the directory of vext and vext-filter, built as make builds
// them, once for all tests of a package. TestMain calls Main, which removes
// them.
func Programs(t testing.TB) string {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Main runs a package's tests and removes what Programs built.
func Main(m *testing.M) {
	status := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(status)
}

// State returns a new state directory.
func State(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	return dir
}
