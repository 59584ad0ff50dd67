// Package autosync runs vext autosync on work trees that stand for machines, with real git,
// sshd, Prosody and editors.
package autosync

import (
	"flag"
	"testing"

	"vext/internal/testkit"
)

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "6") // the tests wait for programs more than they compute
	testkit.Main(m)
}
