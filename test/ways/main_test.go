// Package ways pushes one history by several ways at once: however many of them
// are open, in whatever order they bring it, and whichever of them fails, each
// request is reminded of once.
package ways

import (
	"testing"

	"vext/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
