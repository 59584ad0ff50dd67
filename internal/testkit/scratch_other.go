//go:build !linux

package testkit

import "testing"

// Scratch returns a new directory that goes with the test.
func Scratch(t testing.TB) string { return t.TempDir() }
