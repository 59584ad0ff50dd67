package autosync

import (
	"fmt"
	"testing"

	"vext/internal/testkit/machines"
)

// What is written at the moment in which a pull ends is seen.
func TestAfterPull(t *testing.T) {
	t.Parallel()
	w := machines.New(t, machines.Options{})
	w.Start()
	for n := range 5 {
		w.A.Write(fmt.Sprintf("d%d/a", n), "a\n")
		w.B.Await(fmt.Sprintf("d%d/a", n), "a\n")
		w.B.Write(fmt.Sprintf("b%d", n), "b\n")
		w.A.Await(fmt.Sprintf("b%d", n), "b\n")
	}
	w.Stop()
	w.Check()
}
