package remote

import (
	"os"
	"path/filepath"
	"testing"

	"vext/internal/testkit"
)

// A socket elsewhere is only used while it belongs to whoever has written where it is.
func TestAwayOfAnother(t *testing.T) {
	testkit.Root(t)
	dir := t.TempDir()
	path := filepath.Join(dir, socketName)
	for _, name := range []string{path, filepath.Join(dir, awayName)} {
		if err := os.WriteFile(name, []byte(path+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := readAway(dir); got != path {
		t.Errorf("%q", got)
	}
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if got := readAway(dir); got != "" {
		t.Errorf("another's: %q", got)
	}
}
