package remote

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vext/internal/watchable"
)

// On a network file system, what this machine changes is reported at once, and what others
// change is found by reading.
func TestRefWatchNetwork(t *testing.T) {
	d := gitFiles(t)
	var stat unix.Statfs_t
	if err := unix.Statfs(d.common, &stat); err != nil {
		t.Fatal(err)
	}
	watchable.NetworkFileSystems[uint32(stat.Type)] = "test"
	defer delete(watchable.NetworkFileSystems, uint32(stat.Type))
	w := watching(t, d)
	said := make(chan string, 10)
	w.warn = func(text string) { said <- text }
	r := run(t, w)
	if text := <-said; !strings.Contains(text, "(test) does not report") || !w.isPolled.Load() {
		t.Error(text)
	}
	write(t, filepath.Join(d.common, "refs/heads/main"))
	r.look("a ref that this machine has written")
}
