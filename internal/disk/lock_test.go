package disk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// One open file at a time holds the lock. Others wait, until their time is over or
// their context ends.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, FileMode)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	first, second := open(), open()
	if err := Lock(t.Context(), first, 0); err != nil || !IsLocked(second) {
		t.Fatalf("%v, locked for others: %v", err, IsLocked(second))
	}
	if err := Lock(t.Context(), second, lockPoll); !errors.Is(err, ErrLocked) {
		t.Errorf("held by another: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Lock(ended, second, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	closed := make(chan struct{})
	time.AfterFunc(2*lockPoll, func() { first.Close(); close(closed) })
	if err := Lock(t.Context(), second, time.Minute); err != nil || IsLocked(second) {
		t.Errorf("released: %v", err)
	}
	<-closed
	if err := Lock(t.Context(), first, 0); err == nil || errors.Is(err, ErrLocked) {
		t.Errorf("a closed file: %v", err)
	}
}
