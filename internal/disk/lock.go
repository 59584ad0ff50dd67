package disk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLocked says that another process holds the lock of a file.
var ErrLocked = errors.New("locked by another process")

// lockPoll is the time between two attempts to take a lock.
const lockPoll = 20 * time.Millisecond

// Lock takes the lock of an open file, for which it waits at most that long. The
// kernel releases the lock when f is closed or the process exits (flock(2)). The
// error is ErrLocked if another process holds the lock.
func Lock(ctx context.Context, f *os.File, wait time.Duration) error {
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return &fs.PathError{Op: "lock", Path: f.Name(), Err: err}
		}
		select {
		case <-timeout.C:
			return ErrLocked
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}

// IsLocked reports whether another process, or another open file, holds the lock of f.
func IsLocked(f *os.File) bool {
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}
