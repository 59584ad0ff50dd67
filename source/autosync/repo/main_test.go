package repo_test

import (
	"testing"

	"vext/internal/testkit"
)

// git syncs what it writes, and these tests start thousands of them.
func TestMain(m *testing.M) { testkit.MainInMemory(m) }
