package lmtp

import (
	"os/exec"
	"testing"

	"vext/internal/testkit"
)

// mount puts a small disk at a directory.
func mount(t *testing.T, dir string) {
	t.Helper()
	out, err := exec.Command(testkit.Program(t, "mount"), "-t", "tmpfs", "-o", "size=64k,mode=0750", "tmpfs", dir).CombinedOutput()
	if err != nil {
		testkit.Missing(t, "no disk can be mounted here: "+string(out))
	}
	t.Cleanup(func() {
		if out, err := exec.Command(testkit.Program(t, "umount"), dir).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
}
