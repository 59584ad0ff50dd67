package remote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"vext/internal/disk"
	"vext/internal/hint"
	"vext/internal/pidfile"
)

// Names in the directory "vext" of the git directory that the worktrees share.
const (
	pidName     = "pid"         // of the daemon, which holds its lock
	controlName = "control"     // a named pipe for lines of the control protocol
	socketName  = "events"      // a socket for events and requests
	awayName    = "events.path" // where the socket is, if its path is too long there
	logName     = "log"         // of a daemon in the background
)

// runDir returns the directory with the files of the daemon of a clone.
func runDir(commonDir string) string { return filepath.Join(commonDir, "vext") }

// A HeldError says that another process watches a clone.
type HeldError struct {
	Dir string // the git directory
	PID int    // 0 if unknown
}

func (e *HeldError) Error() string {
	if e.PID == 0 {
		return e.Dir + " is watched by another process"
	}
	return fmt.Sprintf("%s is watched by process %d", e.Dir, e.PID)
}

// takeLock makes this process the daemon of a clone. The error is a *HeldError if there is
// one already.
func takeLock(ctx context.Context, commonDir string) (*pidfile.File, error) {
	dir := runDir(commonDir)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, notWritable(err, commonDir)
	}
	lock, err := pidfile.Take(ctx, filepath.Join(dir, pidName))
	if isHeld := held(err, commonDir); isHeld != nil {
		return nil, hint.Wrap(isHeld, "vext remote status shows what it does; vext remote send STOP ends it")
	}
	return lock, notWritable(err, commonDir)
}

// held returns the *HeldError of a clone, nil for any other error.
func held(err error, commonDir string) error {
	other := new(pidfile.HeldError)
	if !errors.As(err, &other) {
		return nil
	}
	return &HeldError{commonDir, other.PID}
}

// notWritable adds to an error what to do about it.
func notWritable(err error, commonDir string) error {
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return hint.Wrap(fmt.Errorf("%s can't be watched: %w", commonDir, err),
			"whoever watches a clone must be able to write in its git directory, as git fetch must: run it as the owner of the clone")
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, disk.ErrNotRegular):
		return hint.Wrap(err, "vext remote keeps its pipe, socket and lock in the directory "+runDir(commonDir)+": remove what stands in its place")
	}
	return err
}

// waitForEnd waits until no daemon watches a clone, but not longer than that. The error is
// a *HeldError then.
func waitForEnd(ctx context.Context, commonDir string, wait time.Duration) error {
	err := pidfile.Wait(ctx, filepath.Join(runDir(commonDir), pidName), wait)
	if isHeld := held(err, commonDir); isHeld != nil {
		return isHeld
	}
	return err
}
