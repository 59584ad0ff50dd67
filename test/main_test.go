// Package test runs vext among the programs that it lives with: mail servers
// and filters before it, commit mailers that it must understand, a disk that
// is full. Each is the real one; test/programs.sh installs what is missing.
package test

import (
	"testing"

	"vext/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
