// Package takeover lets vext take over the state directory of an earlier version.
package takeover

import (
	"testing"

	"vext/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
