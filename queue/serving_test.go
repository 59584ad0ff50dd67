package queue

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// One vext serve runs with a state directory. The file of a crashed one does not
// prevent the next.
func TestServing(t *testing.T) {
	state := t.TempDir()
	if err := os.WriteFile(filepath.Join(state, "serving"), []byte("12345678901234567890 and more\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	s, err := AcquireServing(state)
	if err != nil {
		t.Fatal(err)
	}
	var serving *ServingError
	if _, err := AcquireServing(state); !errors.As(err, &serving) || serving.PID != os.Getpid() {
		t.Errorf("a second one: %v, want that process %d runs", err, os.Getpid())
	}
	lock, err := Acquire(t.Context(), state, 0)
	if err != nil {
		t.Fatalf("a run beside it: %v", err)
	}
	lock.Release()
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	if s, err = AcquireServing(state); err != nil {
		t.Fatalf("after it has ended: %v", err)
	}
	s.Release()
}
