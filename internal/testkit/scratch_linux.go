package testkit

import (
	"os"
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
	var fs unix.Statfs_t
	if err := unix.Statfs(memory, &fs); err != nil || fs.Type != unix.TMPFS_MAGIC || fs.Flags&unix.ST_NOEXEC != 0 || fs.Bavail*uint64(fs.Bsize) < 64<<20 {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "vext-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
