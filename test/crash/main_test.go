//go:build linux

// Package crash kills the real programs at every system call with which they
// touch the disk or send a mail, and makes each of these calls fail. What
// is left is then worked on by programs that nothing happens to, and must come
// out as if nothing had ever happened: a reminder for every commit, and one
// only.
//
// A clean run under strace(1) lists the calls. Each is then injected with a
// signal or an error in a run of its own, on a state directory of its own.
package crash

import (
	"testing"

	"vext/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
