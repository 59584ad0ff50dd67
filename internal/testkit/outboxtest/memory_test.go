package outboxtest

import "testing"

func TestMemory(t *testing.T) {
	Test(t, func(*testing.T) Case {
		m := new(Memory)
		return m.Case(m)
	})
}
