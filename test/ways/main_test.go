// Package ways brings one history by several sources: with any number of them, in any
// order, and with any of them failing, there is one reminder for each request.
package ways

import (
	"testing"

	"vext/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
