package peerstest

import (
	"errors"
	"testing"

	"vext/source/autosync/peers"
)

func TestFake(t *testing.T) {
	Run(t, func(*testing.T) Setup {
		w := NewWire()
		return Setup{Links: [3]peers.Link{w.Link("alpha"), w.Link("beta"), w.Link("gamma")}, Stranger: NewWire().Link("delta"), Break: w.Break, Named: true}
	})
}

func TestFails(t *testing.T) {
	f := NewWire().Link("alpha")
	down := errors.New("down")
	f.Fail(down)
	if err := f.Announce(t.Context(), peers.Push{New: "a"}); err != down || len(f.Announced()) != 0 {
		t.Errorf("%v, %v", err, f.Announced())
	}
	f.Fail(nil)
	if err := f.Announce(t.Context(), peers.Push{New: "a"}); err != nil || len(f.Announced()) != 1 {
		t.Errorf("%v, %v", err, f.Announced())
	}
}
