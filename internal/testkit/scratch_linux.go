package testkit

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// memory is a file system on which fsync costs nothing.
const memory = "/dev/shm"

// Scratch returns a new directory that goes with the test, in memory where there
// is room and programs can be run: what a killed process leaves is the same there,
// and tests with a thousand processes need not wait for a disk.
func Scratch(t testing.TB) string {
	t.Helper()
	if !hasMemory() {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "vext-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// hasMemory reports whether there is room, and programs can be run there.
func hasMemory() bool {
	var fs unix.Statfs_t
	err := unix.Statfs(memory, &fs)
	return err == nil && fs.Type == unix.TMPFS_MAGIC && fs.Flags&unix.ST_NOEXEC == 0 && fs.Bavail*uint64(fs.Bsize) >= 64<<20
}

// MainInMemory runs a package's tests with all their temporary directories where Scratch has
// its own. A process that a test starts uses those of the test.
func MainInMemory(m *testing.M) {
	dir := ""
	if hasMemory() && !strings.HasPrefix(os.TempDir(), memory) {
		if made, err := os.MkdirTemp(memory, "vext-test-"); err == nil {
			dir = made
			os.Chmod(dir, 0o755) // as /tmp is for a test that becomes another user
			os.Setenv("TMPDIR", dir)
		}
	}
	status := m.Run()
	if dir != "" {
		os.RemoveAll(dir)
	}
	os.Exit(status)
}
