//go:build !linux

package testkit

import (
	"os"
	"testing"
)

// Scratch returns a new directory that goes with the test.
func Scratch(t testing.TB) string { return t.TempDir() }

// MainInMemory runs a package's tests.
func MainInMemory(m *testing.M) { os.Exit(m.Run()) }
