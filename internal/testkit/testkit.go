// Package testkit is what several packages' tests lean on.
package testkit

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
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

// Eventually waits until something is so, and reports whether it is in time.
func Eventually(within time.Duration, is func() bool) bool {
	for deadline := time.Now().Add(within); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// EnvWithout returns the environment without the variables whose names begin so.
func EnvWithout(prefixes ...string) []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(entry, prefix) })
	})
}

// Missing skips the test for want of something, or fails it with CI=true.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s, and this is CI", what)
	}
	t.Skip(what)
}

var (
	building sync.Mutex
	built    []string // directories
)

var build, buildClocked = builder(false), builder(true)

// builder returns a function that builds both programs at its first call.
func builder(isClocked bool) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", "vext-bin-")
		if err == nil {
			err = os.Chmod(dir, 0o755) // other users run them, too
		}
		if err != nil {
			return "", err
		}
		building.Lock()
		built = append(built, dir)
		building.Unlock()
		args := []string{"build", "-trimpath", "-ldflags=-s -w"}
		if GuardsStart() {
			args = append(args, "-ldflags=vext/cmd/vext-filter=-s -w -E main.entry")
		}
		if isClocked {
			overlay, err := clockOverlay(dir)
			if err != nil {
				return dir, err
			}
			args = append(args, "-overlay", overlay)
		}
		cmd := exec.Command("go", append(args, "-o", dir, "vext/cmd/vext", "vext/cmd/vext-filter")...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		return dir, cmd.Run()
	})
}

// GuardsStart reports whether vext-filter has an entry of its own on this
// system, see cmd/vext-filter/entry_linux.go.
func GuardsStart() bool {
	return runtime.GOOS == "linux" && (runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64")
}

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
	for _, dir := range built {
		os.RemoveAll(dir)
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
