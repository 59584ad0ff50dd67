package disk

import (
	"os"
	"path/filepath"
	"testing"

	"vext/internal/testkit"
)

// A file that root makes belongs to the owner of its directory, and one that root
// replaces to whom it belonged.
func TestReplaceOutsideOwner(t *testing.T) {
	testkit.Root(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "hook")
	if err := os.Chown(dir, 1234, 1235); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1234, 1236} {
		if err := ReplaceOutside(path, nil, FileMode); err != nil {
			t.Fatal(err)
		}
		if uid, _, _ := Owner(path); uid != want {
			t.Errorf("it belongs to %d, not %d", uid, want)
		}
		if err := os.Chown(path, 1236, 1236); err != nil {
			t.Fatal(err)
		}
	}
}
