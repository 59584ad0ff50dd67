// Package remote runs vext remote, and git-annex beside it, against real git, sshd and
// http servers.
package remote

import (
	"flag"
	"os"
	"testing"

	"vext/internal/testkit"
)

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "8") // the tests wait for programs more than they compute
	testkit.Main(m)
}

func link(t *testing.T, to, name string) {
	t.Helper()
	if err := os.Symlink(to, name); err != nil {
		t.Fatal(err)
	}
}
