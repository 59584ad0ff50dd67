package queue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"vext/internal/disk"
)

// ErrLocked is returned when another process held the lock for as long as one
// was ready to wait.
var ErrLocked = errors.New("another vext is at work on this state directory")

// A Lock is held by whoever schedules, sends or changes. The system lets go of
// it when its holder dies. The file says when runs came to their end.
type Lock struct{ f *os.File }

// lockPoll is how often a lock that is held is asked for again.
const lockPoll = 50 * time.Millisecond

// Acquire takes the lock of a state directory, waiting at most for the time
// wait or until ctx ends.
func Acquire(ctx context.Context, state string, wait time.Duration) (*Lock, error) {
	f, err := os.OpenFile(lockPath(state), os.O_RDWR|os.O_CREATE, disk.FileMode)
	if err != nil {
		return nil, err
	}
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return &Lock{f}, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		select {
		case <-time.After(lockPoll):
		case <-timeout.C:
			f.Close()
			return nil, ErrLocked
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		}
	}
}

func lockPath(state string) string { return filepath.Join(state, "lock") }

// Release lets go of the lock.
func (l *Lock) Release() error { return l.f.Close() }

// The lock's file holds two times of one length: the end of the last run, and
// of the first. One write of so few bytes is whole or not there.
const lockFormat = "last run  %s\nfirst run %s\n"

// MarkRun notes that a run came to its end at the time now.
func (l *Lock) MarkRun(now time.Time) error {
	_, first := readRuns(l.f.Name())
	if first.IsZero() {
		first = now
	}
	text := fmt.Sprintf(lockFormat, now.UTC().Format(time.RFC3339), first.UTC().Format(time.RFC3339))
	_, err := l.f.WriteAt([]byte(text), 0)
	return err
}

// Runs returns when the last and the first run ended, zero times when there
// was none.
func Runs(state string) (last, first time.Time) { return readRuns(lockPath(state)) }

func readRuns(path string) (last, first time.Time) {
	data, err := os.ReadFile(path)
	if err != nil {
		return last, first
	}
	var a, b string
	if _, err := fmt.Sscanf(string(data), lockFormat, &a, &b); err != nil {
		return last, first
	}
	last, _ = time.Parse(time.RFC3339, a)
	first, _ = time.Parse(time.RFC3339, b)
	return last, first
}
