package queue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"vext/internal/disk"
)

// A ServingError says that another vext serve uses the state directory.
type ServingError struct{ PID int } // 0 when it is not known

func (e *ServingError) Error() string {
	if e.PID == 0 {
		return "another vext serve is running"
	}
	return fmt.Sprintf("another vext serve (pid %d) is running", e.PID)
}

// Serving is the lock that a vext serve holds while it runs. Its file has the process
// ID. The kernel releases the lock when the process exits. It is not the Lock for
// changes of the queue.
type Serving struct{ f *os.File }

// AcquireServing takes the lock of a state directory for vext serve, without waiting.
// The error is a *ServingError when another process holds it.
func AcquireServing(state string) (*Serving, error) {
	f, err := os.OpenFile(filepath.Join(state, "serving"), os.O_RDWR|os.O_CREATE, disk.FileMode)
	if err != nil {
		return nil, err
	}
	err = disk.Lock(context.Background(), f, 0)
	if errors.Is(err, disk.ErrLocked) {
		defer f.Close()
		text := make([]byte, 20)
		n, _ := f.Read(text)
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text[:n])))
		return nil, &ServingError{pid}
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return &Serving{f}, nil
}

// Release releases the lock.
func (s *Serving) Release() error { return s.f.Close() }
