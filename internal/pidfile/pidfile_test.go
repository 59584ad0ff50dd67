package pidfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestTake(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	f, err := Take(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != fmt.Sprintln(os.Getpid()) {
		t.Errorf("%q", got)
	}
	held := new(HeldError)
	if _, err := Take(t.Context(), path); !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Error(err)
	}
	if err := Wait(t.Context(), path, 0); !errors.As(err, &held) {
		t.Error(err)
	}
	if err := f.Release(); err != nil {
		t.Error(err)
	}
	if err := Wait(t.Context(), path, time.Second); err != nil {
		t.Error(err)
	}
	if again, err := Take(t.Context(), path); err != nil {
		t.Error(err)
	} else if again.Release(); again.Counts() {
		t.Error("a released lock counts")
	}
}

// The lock of a file that somebody has removed keeps nobody out, and its owner removes
// no file of another process.
func TestRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	first, err := Take(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(path)
	second, err := Take(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if first.Counts() || !second.Counts() {
		t.Error(first.Counts(), second.Counts())
	}
	first.Release()
	if !second.Counts() {
		t.Error("the file of the second one is gone")
	}
	second.Release()
}
